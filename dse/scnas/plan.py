"""What a reproduction of SC-NAS searches and how much of it: `QUICK` on handwritten digits, `FULL` on CIFAR-10."""

from pydantic import Field, model_validator

from gatewright.dse.config import Data
from gatewright.hw.noun import Noun
from gatewright.sim import cache
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.layers import Pooling
from gatewright.sw.models import Architecture

AFTERWARDS = ("name", "finalists", "others", "halvings", "converted", "pure", "final", "gates", "verified", "workers")
"""What matters when the searches are done."""


class Plan(Noun):
    """A `vgg` of `len(widths)` convolutions, pooled after those of `pool_after`, and how it is searched.

    widths: channels to choose from, for each convolution. kernels: sizes to choose from, for all of them. reference: index of the
    widths of the fixed network, which pure stochastic computing and the search of hardware alone take, with 3 x 3 kernels.
    images: classified by a run of the program; more share its instructions and weights, and the result waits for all of them.
    budget: energy of the logic per image, as a part of what the reference network takes in 8-bit integers.
    points: drawn by each search, until `scored` new networks within the budget had their accuracy estimated. halving: how much accuracy
    halving the energy is worth to a search.
    shared: how the super-network is trained, with `sample` training images. settled: training images whose statistics a candidate takes,
    seen: validation images that estimate its accuracy.
    finalists: of each search that the claims are about, trained by `final`: the best of its scored networks where halving the energy is
    worth each of `halvings`; others: of each other search. converted, pure: the circuits of pure stochastic computing, the reference
    network in each of them, with weights trained in floating point, and trained in the circuits' arithmetic.
    gates: validation images side by side on a finalist's gates. verified: test images on the winner's Verilog.
    """

    name: str
    data: Data
    widths: tuple[tuple[int, ...], ...] = Field(min_length=1)
    kernels: tuple[int, ...] = (1, 3, 5)
    pool_after: tuple[int, ...]
    pooling: tuple[Pooling, ...] = ("max", "average")
    reference: int = Field(default=1, ge=0)
    rows: tuple[int, ...] = Field(min_length=1)
    cols: tuple[int, ...] = Field(min_length=1)
    operand_bits: int = 64
    buffer_words_max: int = 512
    images: int = Field(default=1, ge=1)
    clock_ns: float = 20.0
    budget: float = Field(default=1.0, gt=0)
    points: int = Field(ge=1)
    scored: int = Field(ge=1)
    halving: float = Field(default=0.02, ge=0)
    shared: Recipe
    sample: int | None = None
    settled: int = Field(default=512, ge=32)
    seen: int = Field(default=1000, ge=1)
    finalists: int = Field(default=5, ge=1)
    others: int = Field(default=1, ge=1)
    halvings: tuple[float, ...] = (0.02, 0.0, 0.05, 0.1, 0.2)
    converted: tuple[str, ...] = ()
    pure: tuple[str, ...] = ()
    final: Recipe
    gates: int = Field(default=64, ge=1, le=512)
    verified: int = Field(default=300, ge=1)
    workers: int = Field(default=2, ge=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Plan":
        for i, widths in enumerate(self.widths):
            if self.reference >= len(widths):
                raise ValueError(
                    f"reference is an index of every convolution's widths; convolution {i} has {len(widths)}, got {self.reference}"
                )
        return self

    def seeded(self, seed: int) -> "Plan":
        """The same with another seed, of training too."""
        return self.replace(seed=seed, shared=self.shared.replace(seed=seed), final=self.final.replace(seed=seed))

    @property
    def searching(self) -> str:
        """A hash of all that searches depend on: plans that differ in designs and proofs alone have the same."""
        return cache.key(**{name: value for name, value in self if name not in AFTERWARDS})

    def fixed(self, channels: int, height: int, width: int, classes: int) -> Architecture:
        """The reference network, in 8-bit integers."""
        from gatewright.hw.config import integer

        return Architecture(
            family="vgg",
            channels=channels,
            height=height,
            width=width,
            classes=classes,
            widths=tuple(widths[self.reference] for widths in self.widths),
            pool_after=self.pool_after,
            operators=(integer(8),),
        )


CONVENTIONAL = (
    *(f"sc_sign_magnitude_sobol{length}_8" for length in (8, 16, 32, 64, 256)),
    *(f"sc_bipolar_lfsr{length}_8" for length in (64, 256)),
)
TRAINED = ("sc_sign_magnitude_sobol8_8", "sc_sign_magnitude_sobol16_8")
QUICK = Plan(
    name="quick",
    data=Data(dataset="digits"),
    widths=((4, 8, 12, 16), (8, 16, 24, 32)),
    pool_after=(0, 1),
    rows=(4,),
    cols=(4, 8),
    images=4,
    points=600,
    scored=300,
    shared=Recipe(epochs=80, batch=64, learning_rate=0.01),
    settled=256,
    seen=300,
    final=Recipe(epochs=24),
    verified=300,
    converted=CONVENTIONAL,
    pure=TRAINED,
)
FULL = Plan(
    name="full",
    data=Data(dataset="cifar10"),
    widths=((8, 16, 24, 32), (16, 32, 48, 64), (24, 48, 64, 96)),
    kernels=(1, 3),
    pool_after=(0, 1, 2),
    rows=(8,),
    cols=(8,),
    buffer_words_max=4096,
    images=4,
    budget=0.6,
    points=600,
    scored=300,
    shared=Recipe(epochs=5, batch=64, learning_rate=0.01, mirror=True, threads=2, device="auto"),
    seen=1500,
    finalists=2,
    final=Recipe(epochs=6, batch=64, learning_rate=0.01, margin=4, mirror=True, device="auto"),
    gates=16,
    verified=12,
    converted=CONVENTIONAL,
    pure=TRAINED[:1],
)
PLANS = {plan.name: plan for plan in (QUICK, FULL)}
