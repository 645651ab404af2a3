"""What a run searches, under which target, and how its result is checked: the tables of a configuration file."""

from typing import Literal

from pydantic import Field, model_validator

from gatewright.dse.network_space import NetworkSpace, OperatorSpace
from gatewright.hw.config import AcceleratorConfig, Operator, xnor
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.hw.noun import Noun
from gatewright.sw.checkpoint import Practice, Recipe

Sampler = Literal["tpe", "random", "nsga2", "controller"]


class Data(Noun):
    """`dataset`: one of `gatewright.sw.data.NAMES`. `folder`: where published sets lie (default: GATEWRIGHT_DATA). `validation`: how many
    training images of a published set are held out; the digits have their own 300."""

    dataset: str = "digits"
    folder: str | None = None
    validation: int = Field(default=5000, ge=1)


class Buffers(Noun):
    """Fixed sizes of the buffers; see `AcceleratorConfig`."""

    activation_words: int
    weight_words: int
    output_words: int
    parameter_words: int


class AcceleratorSpace(Noun):
    """Accelerators to choose from. `accumulator_bits` "auto": as few as any input of the network needs. `buffers` "auto": as small as
    the chosen tiles allow, at most `buffer_words_max` words each."""

    rows: tuple[int, ...] = Field(min_length=1)
    cols: tuple[int, ...] = Field(min_length=1)
    operand_bits: tuple[int, ...] = Field(default=(64,), min_length=1)
    accumulator_bits: Literal["auto"] | int = "auto"
    accumulator_depth: tuple[int, ...] = Field(default=(2,), min_length=1)
    pipeline_stages: tuple[int, ...] = Field(default=(1,), min_length=1)
    buffers: Literal["auto"] | Buffers = "auto"
    buffer_words_max: int = Field(default=512, ge=16, le=32768)
    memory_interval: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _check(self) -> "AcceleratorSpace":
        if self.buffer_words_max & (self.buffer_words_max - 1):
            raise ValueError(f"buffer_words_max must be a power of two; got {self.buffer_words_max}")
        choices = ("rows", "cols", "operand_bits", "accumulator_depth", "pipeline_stages")
        for name in choices:  # every choice must be a legal accelerator's, whatever is chosen beside it
            for value in getattr(self, name):
                try:
                    AcceleratorConfig(**({"rows": 1, "cols": 1, "operators": (xnor(),)} | {name: value}))
                except BadInput as error:
                    raise ValueError(str(error).removeprefix("AcceleratorConfig: ").rstrip(".")) from None
        return self


class Target(Noun):
    """`accuracy_min`: the least energy at this validation accuracy. `energy_pj_max`: the greatest accuracy at this energy per image.

    Energy is the logic's, plus `memories` times the on-chip memories' cited energy. `area_um2_max` (logic) and `latency_ns_max` are limits.
    """

    accuracy_min: float | None = Field(default=None, gt=0, lt=1)
    energy_pj_max: float | None = Field(default=None, gt=0)
    area_um2_max: float | None = Field(default=None, gt=0)
    latency_ns_max: float | None = Field(default=None, gt=0)
    memories: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Target":
        if (self.accuracy_min is None) == (self.energy_pj_max is None):
            raise ValueError(
                "give exactly one of accuracy_min (the least energy that reaches it wins) and energy_pj_max (the best accuracy within it "
                "wins); "
                f"got accuracy_min = {self.accuracy_min} and energy_pj_max = {self.energy_pj_max}"
            )
        return self


class Search(Practice):
    """`trials` points in generations of `generation`, `workers` at a time; networks train `epochs`, the `finalists` then `final_epochs`.

    `images` is how many images one run of the program classifies. `slack`: how far below the accuracy wanted a candidate's short
    training may stay.
    `energy_factor`: designs of more than so many times the energy of the cheapest candidate of earlier generations are not trained.
    `sample`: training images that trials see, all of them if none is given; finalists see all. `batch` to `device`: as in a `Recipe`.
    """

    trials: int = Field(default=48, ge=1)
    generation: int = Field(default=8, ge=1)
    workers: int = Field(default=2, ge=1, le=256)
    sampler: Sampler = "tpe"
    epochs: int = Field(default=6, ge=1)
    finalists: int = Field(default=3, ge=1)
    final_epochs: int = Field(default=30, ge=1)
    slack: float = Field(default=0.02, ge=0, lt=1)
    energy_factor: float = Field(default=2.0, gt=1)
    images: int = Field(default=1, ge=1, le=64)
    sample: int | None = Field(default=None, ge=64)

    def recipe(self, epochs: int) -> Recipe:
        """How networks are trained for so many epochs."""
        return Recipe(**{name: getattr(self, name) for name in Practice.model_fields}, epochs=epochs)


class Measure(Noun):
    """How the winner is proven. `images` run on its gates, `verify_images` test images on its RTL; `probes` blocks check the cost model.

    `technology`: an embedded one, of which cells, memories and the cost model are; its model rests on the measurements that ship for it, or
    on the file `measurements` that `gatewright calibrate --out` wrote. `liberty`: files of another standard-cell library to measure with;
    the model is then that of ihp130, unless `measurements` names its own.
    """

    clock_ns: float = Field(default=20.0, gt=0)
    images: int = Field(default=64, ge=1, le=512)
    verify_images: int = Field(default=300, ge=1)
    probes: int = Field(default=10, ge=0)
    technology: Literal["ihp130", "sky130", "asap7"] = "ihp130"
    liberty: tuple[str, ...] = ()
    measurements: str | None = None

    @model_validator(mode="after")
    def _check(self) -> "Measure":
        if self.liberty and self.technology != "ihp130":
            raise ValueError(f"technology and liberty both name a library: give one of them; got technology = {self.technology!r}")
        return self


class RunConfig(Noun):
    """A configuration file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    data: Data = Data()
    network: NetworkSpace
    operators: OperatorSpace = OperatorSpace()
    accelerator: AcceleratorSpace
    target: Target
    search: Search = Search()
    measure: Measure = Measure()

    @model_validator(mode="after")
    def _check(self) -> "RunConfig":
        if not self.operators.choices and {*self.network.families} != {"onnx"}:
            raise ValueError("[operators] choices are missing: names of operators for the layers, as ['int8', 'xnor']")
        return self

    def operator_choices(self) -> tuple[Operator, ...]:
        """Every operator that a layer can have, each once."""
        names = [name for place in ("first", "hidden", "last") for name in self.operators.of(place)]
        if self.network.layered:
            names += (*self.operators.of("depthwise"), *self.operators.join)
        return tuple(operator_named(name) for name in dict.fromkeys(names))
