"""Timed kernels on a GPU or on a processor core: packed XNOR, 8-bit integers and 32-bit floating point, as matrix products of layers.

One source for all devices: PyTorch. The packed XNOR product is written with integer operations and compiled into one loop
(torch.compile: C++ for a core, Triton for a GPU); the others are the library's own. A layer is one product of [pixels, C R S] and
[C R S, K]; gathering the pixels and packing the bits are not timed. Every product is compared with exact integers before it is timed.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from typing import Literal

import torch
from torch import Tensor

from gatewright.hw.errors import Mismatch, Missing
from gatewright.sim import tools
from gatewright.sim.platforms.chart import LAYER_AXES, Axis, Chart, Cost, Provenance, Value

Kind = Literal["cpu", "gpu"]

CHANNELS, SIZES, KERNELS = (16, 64, 256), (4, 8, 16, 32), (1, 3)
IMAGES: dict[Kind, tuple[int, ...]] = {"cpu": (1,), "gpu": (1, 64)}
WORD = 32  # bits packed into an integer
ROWS_MIN = 32  # CUDA's 8-bit product wants more than 16 rows
REPEATS, WARM, SAMPLE_S = 15, 3, 1e-3


def pack(bits: Tensor) -> Tensor:
    """Words [ceil(C / 32), rows] of int32 from bits [rows, C] of 0 and 1; bits beyond C are 0."""
    rows, columns = bits.shape
    padded = torch.nn.functional.pad(bits.to(torch.int64), (0, -columns % WORD)).reshape(rows, -1, WORD)
    words = (padded << torch.arange(WORD)).sum(-1)
    return torch.where(words < 1 << 31, words, words - (1 << 32)).to(torch.int32).T.contiguous()


def popcount(words: Tensor) -> Tensor:
    """Ones in each int32."""
    pairs = words - ((words >> 1) & 0x55555555)
    fours = (pairs & 0x33333333) + ((pairs >> 2) & 0x33333333)
    return ((((fours + (fours >> 4)) & 0x0F0F0F0F) * 0x01010101) >> 24) & 0x3F


def differing(activations: Tensor, weights: Tensor) -> Tensor:
    """Bits that differ [M, N] between words [W, M] and [W, N]; equal ones are their number less these."""
    return popcount(activations[:, :, None] ^ weights[:, None, :]).sum(0, dtype=torch.int32)


@lru_cache(maxsize=1)
def _fused() -> Callable[[Tensor, Tensor], Tensor]:
    return torch.compile(differing, dynamic=True)


@dataclass(frozen=True, eq=False)
class Job:
    """One product on a device: `run` makes it, `result` reads integers [M, N] out of what it gave, `expected` are the exact ones."""

    run: Callable[[], Tensor]
    result: Callable[[Tensor], Tensor]
    expected: Tensor

    def check(self, what: str) -> None:
        """Raises Mismatch unless the product is exact."""
        if wrong := int((self.result(self.run()).cpu() != self.expected).sum()):
            raise Mismatch(f"{what}: {wrong} of {self.expected.numel()} sums differ from exact integers, so nothing is timed.")


def _random(low: int, high: int, rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randint(low, high, (rows, columns), generator=generator)


def _exact(a: Tensor, w: Tensor) -> Tensor:
    """Integers up to 2^53 are exact in double precision."""
    return (a.double() @ w.double().T).to(torch.int64)


def xnor(m: int, n: int, k: int, device: str, generator: torch.Generator, *, fused: bool = True) -> Job:
    """Counts of equal bits."""
    a, w = _random(0, 2, m, k, generator), _random(0, 2, n, k, generator)
    words = pack(a).to(device), pack(w).to(device)
    kernel = _fused() if fused else differing
    return Job(lambda: kernel(*words), lambda found: k - found.to(torch.int64), (_exact(2 * a - 1, 2 * w - 1) + k) // 2)


def int8(m: int, n: int, k: int, device: str, generator: torch.Generator) -> Job:
    """Signed 8-bit operands, 32-bit sums."""
    a, w = _random(-128, 128, m, k, generator), _random(-128, 128, n, k, generator)
    tall = torch.nn.functional.pad(a, (0, 0, 0, max(0, ROWS_MIN - m))).to(torch.int8).to(device)
    wide = w.to(torch.int8).to(device).T
    return Job(lambda: torch._int_mm(tall, wide), lambda found: found[:m].to(torch.int64), _exact(a, w))


def fp32(m: int, n: int, k: int, device: str, generator: torch.Generator) -> Job:
    """Floating point on small integers, so that its sums are exact."""
    a, w = _random(-8, 8, m, k, generator), _random(-8, 8, n, k, generator)
    held = a.float().to(device), w.float().to(device).T
    return Job(lambda: held[0] @ held[1], lambda found: found.to(torch.int64), _exact(a, w))


PRODUCTS: dict[str, Callable[[int, int, int, str, torch.Generator], Job]] = {"xnor": xnor, "int8": int8, "fp32": fp32}


def timed(run: Callable[[], object], clock: Callable[[], float], wait: Callable[[], None] = lambda: None) -> tuple[float, float]:
    """Median time of a run in us, and the samples' interquartile range in percent of it.

    After some runs that are not counted, samples of as many runs as fill a millisecond; `wait` is called before the clock is read, and
    returns when all work asked for is done.
    """

    def sample(runs: int) -> float:
        wait()
        start = clock()
        for _ in range(runs):
            run()
        wait()
        return (clock() - start) / runs

    for _ in range(WARM):
        sample(1)
    runs = max(1, math.ceil(SAMPLE_S / max(sample(1), 1e-7)))
    samples = [sample(runs) for _ in range(REPEATS)]
    low, middle, high = quantiles(samples, n=4)
    return 1e6 * median(samples), 100 * (high - low) / middle


def require(kind: Kind) -> None:
    """Raises Missing where there is no such device, or what compiles kernels for it is not there."""
    _device(kind)


def measure(kind: Kind, note: Callable[[str], None] = lambda text: None, seed: int = 0) -> Chart:
    """Time every kernel on every layer shape here. Raises Missing where there is no such device, and Mismatch for a wrong product."""
    device, description, clock, wait = _device(kind)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = list(_rows(kind, device, clock, wait, note, seed))
    finally:
        torch.set_num_threads(threads)
    return Chart(
        platform=kind,
        name="layer",
        title="A layer as one matrix product",
        axes=(
            Axis(name="operator", title="operands: xnor is packed bits, fp32 32-bit floating point"),
            Axis(name="images", title="images at a time"),
            *LAYER_AXES,
        ),
        costs=(
            Cost(name="latency_us", title="time of all images, us, median", origin="measured"),
            Cost(name="spread_percent", title="interquartile range of the samples, % of the median", origin="measured"),
        ),
        rows=tuple(rows),
        provenance=Provenance(
            device=description,
            method=f"gatewright.sim.platforms.processors: {REPEATS} samples of a millisecond or one run after {WARM} runs, checked against "
            "exact integers first; gathering of pixels and packing of bits left out",
            command=f"gatewright platforms --measure {kind}",
            date=date.today().isoformat(),
            tools=tools.versions("torch"),
        ),
    )


def _rows(
    kind: Kind, device: str, clock: Callable[[], float], wait: Callable[[], None], note: Callable[[str], None], seed: int
) -> Iterable[tuple[Value, ...]]:
    for name, make in PRODUCTS.items():
        note(f"Timing {name} on {device}")
        for images, c, k, size, kernel in product(IMAGES[kind], CHANNELS, CHANNELS, SIZES, KERNELS):
            job = make(images * size**2, k, c * kernel**2, device, torch.Generator().manual_seed(seed))
            job.check(f"{name} on {device}")
            yield (name, images, c, k, size, kernel, *timed(job.run, clock, wait))


def _device(kind: Kind) -> tuple[str, str, Callable[[], float], Callable[[], None]]:
    """PyTorch's name of the device, what it is, the clock for it, and how to wait for it."""
    if kind == "cpu":
        what = f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}, one thread, its processor time"
        return "cpu", what, time.thread_time, lambda: None
    if not torch.cuda.is_available():
        raise Missing(
            f"There is no CUDA device on this machine (PyTorch {torch.__version__} sees none), and a GPU's figures are never estimated. "
            "Run `gatewright platforms --measure gpu --out FOLDER` on a machine with an NVIDIA GPU and PyTorch's build for CUDA."
        )
    if find_spec("triton") is None:
        raise Missing("triton is needed (compiles the packed XNOR kernel) and was not found. Install it with: pip install triton.")
    cuda = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return "cuda", cuda, time.perf_counter, torch.cuda.synchronize


def _processor() -> str:
    """What Linux calls the processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unnamed processor")
