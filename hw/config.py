"""What can be built: `Operator` says how a layer multiplies, `AcceleratorConfig` what the accelerator is made of."""

from typing import Any, Literal

from pydantic import Field, model_validator

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun

Coding = Literal["bipolar", "sign_magnitude"]
Source = Literal["lfsr", "sobol", "counter"]
Adder = Literal["exact", "approximate", "mux", "or"]
Variant = Literal["l1", "mfnet"]
NumberFormat = Literal["fp32", "fp16", "bf16"]
OPTIONS = ("stream_length", "coding", "source", "sharing", "adder", "exponents", "variant", "zero_sign", "number_format")


def container(bits: int) -> int:
    """The smallest power of two that holds `bits`: values are stored in lanes of 1, 2, 4 or 8 bits."""
    return 1 << (bits - 1).bit_length()


class Operator(Noun):
    """How one layer multiplies and adds, and at which precision.

    `weight_bits` and `activation_bits` count the sign where there is one. Weights are signed; activations are unsigned unless
    `activation_signed`. The other fields are options: each kind has its own (`OPTIONS` of its circuit module, with their
    defaults), and None stands in those of the other kinds.
    """

    kind: str
    weight_bits: int = Field(ge=1, le=32)
    activation_bits: int = Field(ge=1, le=32)
    activation_signed: bool = False
    stream_length: int | None = Field(default=None, description="stochastic: bits of a stream")
    coding: Coding | None = Field(default=None, description="stochastic: what a stream's density stands for")
    source: Source | None = Field(default=None, description="stochastic: what the operands are compared with")
    sharing: int | None = Field(default=None, description="stochastic: neighbouring lanes that compare with the same numbers")
    adder: Adder | None = Field(default=None, description="stochastic: how an element's pulses are added")
    exponents: int | None = Field(default=None, description="shift: how many exponents a weight may have, 0 to exponents - 1")
    variant: Variant | None = Field(default=None, description="multiplication_free: which of the two published sums")
    zero_sign: Literal[0, 1] | None = Field(default=None, description="multiplication_free: sgn(0)")
    number_format: NumberFormat | None = Field(default=None, description="float: the format of operands and sum")

    @model_validator(mode="before")
    @classmethod
    def _options(cls, data: Any) -> Any:
        """Options left out take the default of their kind."""
        from gatewright.hw.operators import modules  # the registry imports this module

        module = modules().get(str(data.get("kind"))) if isinstance(data, dict) else None
        if module is None:
            return data
        defaults = {name: value for name, value in module.OPTIONS.items() if data.get(name) is None}
        return data | {name: value(data) if callable(value) else value for name, value in defaults.items()}

    @model_validator(mode="after")
    def _check(self) -> "Operator":
        from gatewright.hw.operators import rules

        rules(self)
        return self

    @property
    def weight_width(self) -> int:
        """Bits a weight takes in a lane."""
        return container(self.weight_bits)

    @property
    def activation_width(self) -> int:
        """Bits an activation takes in a lane, and in memory: the whole lane, so that channels lie densely."""
        return self.width

    @property
    def width(self) -> int:
        """Bits of a lane: a processing element has `operand_bits // width` lanes of this operator."""
        return max(self.weight_width, container(self.activation_bits))

    @property
    def activation_range(self) -> tuple[int, int]:
        """Least and greatest activation, as integers. One bit means the codes 0 and 1 (values -1 and +1)."""
        if self.activation_signed:
            return -(1 << (self.activation_bits - 1)), (1 << (self.activation_bits - 1)) - 1
        return 0, (1 << self.activation_bits) - 1

    @property
    def steps(self) -> int:
        """Cycles one operand pair occupies a lane: a stream is played `width` bits a cycle."""
        return 1 if self.stream_length is None else self.stream_length // self.width

    @property
    def name(self) -> str:
        """Short and unique among operators: `int8`, `int4x8` (weights x activations), `sc_bipolar_sobol64_8`."""
        from gatewright.hw.operators import circuit

        return circuit(self).name(self)


def integer(weight_bits: int, activation_bits: int | None = None, *, signed: bool = False) -> Operator:
    """Two's complement weights times activations."""
    return Operator(kind="int", weight_bits=weight_bits, activation_bits=activation_bits or weight_bits, activation_signed=signed)


def binary_weight(activation_bits: int = 8, *, signed: bool = False) -> Operator:
    """Weights -1 and +1, activations of several bits."""
    return Operator(kind="binary_weight", weight_bits=1, activation_bits=activation_bits, activation_signed=signed)


def shift(weight_bits: int = 5, activation_bits: int = 8, *, exponents: int | None = None, signed: bool = False) -> Operator:
    """Weights that are a sign and a power of two, 2**0 to 2**(exponents - 1); None: as many exponents as the weight's bits can name."""
    return Operator(kind="shift", weight_bits=weight_bits, activation_bits=activation_bits, activation_signed=signed, exponents=exponents)


def multiplication_free(
    variant: Variant = "l1", weight_bits: int = 8, activation_bits: int | None = None, *, signed: bool = False, zero_sign: Literal[0, 1] = 1
) -> Operator:
    """Sums of magnitudes under the operands' signs; see `gatewright.hw.operators.multiplication_free`."""
    return Operator(
        kind="multiplication_free",
        weight_bits=weight_bits,
        activation_bits=activation_bits or weight_bits,
        activation_signed=signed,
        variant=variant,
        zero_sign=zero_sign,
    )


def xnor() -> Operator:
    """Weights and activations -1 and +1."""
    return Operator(kind="xnor", weight_bits=1, activation_bits=1)


def stochastic(
    stream_length: int,
    coding: Coding = "sign_magnitude",
    source: Source = "sobol",
    bits: int = 8,
    *,
    sharing: int | None = None,
    adder: Adder = "exact",
) -> Operator:
    """Bit streams of `stream_length`, made at the grid's edges. `sharing`: lanes that compare with the same numbers, None: all."""
    return Operator(
        kind="stochastic",
        weight_bits=bits,
        activation_bits=bits,
        activation_signed=coding == "bipolar",
        stream_length=stream_length,
        coding=coding,
        source=source,
        sharing=sharing,
        adder=adder,
    )


def floating(number_format: NumberFormat) -> Operator:
    """Floating point, product and sum rounded separately: a measured baseline, not part of programs."""
    bits = 32 if number_format == "fp32" else 16
    return Operator(kind="float", weight_bits=bits, activation_bits=bits, activation_signed=True, number_format=number_format)


MULTIPLIER_BITS = 8  # requantisation multiplies by an unsigned integer of this width; training simulates it exactly
SHIFT_MAX = 31
OUTPUT_PLACES = 1 << 16  # places of `cols` bits in the output buffer that an instruction can address


class AcceleratorConfig(Noun):
    """A grid of `rows` x `cols` processing elements with its buffers and its external memory.

    Sizes: `activation_words` and `weight_words` are words of `operand_bits` in each row's and each column's buffer,
    `output_words` rows of the output buffer (`output_bits` wide each), `parameter_words` output-channel groups.
    `pipeline_stages`: registers between a processing element's operands and its accumulator: the lanes' sum, and with two also
    after the first level of the lanes' adder tree. `split`: one lane array that divides at run time into the widths of the `int`,
    `binary_weight` and `xnor` operators, in place of a lane circuit for each. `isolation`: operands of lane circuits that are not
    in use stand still; without it every circuit sees every operand.
    """

    rows: int = Field(ge=1, le=64)
    cols: int = Field(ge=1, le=64)
    operand_bits: Literal[32, 64] = 64
    operators: tuple[Operator, ...] = Field(min_length=1, max_length=8)
    accumulator_bits: int = Field(default=24, ge=12, le=32)
    accumulator_depth: int = Field(default=2, ge=2, le=64)
    activation_words: int = Field(default=256, ge=4, le=32768)
    weight_words: int = Field(default=256, ge=4, le=32768)
    output_words: int = Field(default=256, ge=4, le=32768)
    parameter_words: int = Field(default=32, ge=2, le=4096)
    memory_interval: int = Field(default=1, ge=1, le=64)
    pipeline_stages: Literal[0, 1, 2] = 1
    pooling: bool = True
    split: bool = False
    isolation: bool = True

    @model_validator(mode="after")
    def _check(self) -> "AcceleratorConfig":
        if self.cols & (self.cols - 1):
            raise ValueError(f"cols must be a power of two, so that outputs pack into words; got {self.cols}")
        if self.accumulator_depth % 2:
            raise ValueError(f"accumulator_depth must be even: one half drains while the other accumulates; got {self.accumulator_depth}")
        for name in ("activation_words", "weight_words", "output_words", "parameter_words"):
            size = getattr(self, name)
            if size & (size - 1):
                raise ValueError(f"{name} must be a power of two; got {size}")
        places = self.output_words * (self.output_bits // self.cols)
        if places > OUTPUT_PLACES:
            most = OUTPUT_PLACES // (self.output_bits // self.cols)
            raise ValueError(f"output_words must be at most {most} with {self.cols} cols; got {self.output_words}")
        if len(set(self.operators)) != len(self.operators):
            raise ValueError("operators must differ from each other")
        from gatewright.hw.operators import circuit
        from gatewright.hw.split import divisible

        if self.split and not divisible(self.operators):
            names = ", ".join(o.name for o in self.operators)
            raise ValueError(f"split needs two or more of int, binary_weight, xnor and bipolar operators with different lanes; got {names}")
        if blocks := [o.name for o in self.operators if not hasattr(circuit(o), "Lanes")]:
            raise ValueError(f"{', '.join(blocks)} is measured as a block of its own and cannot run on a grid")
        return self

    def path(self, operator: Operator) -> int:
        """Which of the configuration's operators runs a layer's operator: the same one, with streams at least as long."""
        for i, mine in enumerate(self.operators):
            shortens = mine.kind == operator.kind == "stochastic" and mine.source != "counter"  # a thermometer's steps depend on its length
            same = mine.model_copy(update={"stream_length": operator.stream_length}) if shortens else mine
            if same == operator and (mine.stream_length or 0) >= (operator.stream_length or 0):
                return i
        names = ", ".join(o.name for o in self.operators)
        raise BadInput(
            f"The grid has no operator {operator.name}; it has {names}. Add it to the accelerator's operators or change the layer."
        )

    def lanes(self, operator: Operator) -> int:
        """Products of `operator` one processing element makes at a time."""
        return self.operand_bits // operator.width

    @property
    def output_bits(self) -> int:
        """Bits of one row of the output buffer: all columns' 8-bit results, and at least one memory word."""
        return max(8 * self.cols, self.operand_bits)

    @property
    def block_capacity(self) -> int:
        """Accumulators of a processing element one output block may use; the other half drains meanwhile."""
        return self.accumulator_depth // 2
