"""Post-processing of one column as docs/hardware.md defines it, on Python integers, and what travels through its pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from gatewright.hw.instructions import OutputMode

PLANES = 4


@dataclass(frozen=True)
class Settings:
    """The fields of an instruction that post-processing reads."""

    mode: OutputMode
    low: int = -128
    high: int = 255
    average: bool = False
    pool_shift: int = 0
    container: int = 3

    def fields(self) -> dict[str, int]:
        values = {"mode": self.mode, "low": self.low % 512, "high": self.high % 512, "pool_average": int(self.average)}
        return {f"field_{name}": int(value) for name, value in (values | {"pool_shift": self.pool_shift}).items()}


@dataclass(frozen=True)
class Channel:
    bias: int
    multiplier: int
    shift: int

    @property
    def scale(self) -> int:
        return self.multiplier | self.shift << 8


@dataclass(frozen=True)
class Beat:
    """One row of the grid in one cycle: its columns' sums, and which sample of a pooling window this is."""

    sums: Sequence[int]
    channels: Sequence[Channel]
    row: int
    plane: int
    first: bool
    final: bool
    address: int = 0


def sample(settings: Settings, channel: Channel, total: int, plane: int) -> int:
    v = total + channel.bias
    if settings.mode == OutputMode.RAW:
        return v >> 8 * plane & 255
    if settings.mode == OutputMode.SIGN:
        return int(v >= 0 and channel.shift > 0)
    rounded = (v * channel.multiplier + (1 << channel.shift >> 1)) >> channel.shift
    return max(settings.low, min(settings.high, rounded))


@dataclass
class Pool:
    """The samples of each grid row's window so far, [row][column]."""

    settings: Settings
    samples: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def take(self, beat: Beat) -> list[int] | None:
        """The results of the columns if a window is complete."""
        results = []
        for column, (channel, total) in enumerate(zip(beat.channels, beat.sums, strict=True)):
            window = self.samples.setdefault((beat.row, column), [])
            if beat.first:
                window.clear()
            window.append(sample(self.settings, channel, total, beat.plane))
            rounding = 1 << self.settings.pool_shift >> 1
            results.append((sum(window) + rounding) >> self.settings.pool_shift if self.settings.average else max(window))
        return results if beat.final else None


def random_settings(random: Random) -> Settings:
    mode = random.choice([*OutputMode, OutputMode.REQUANTISE, OutputMode.REQUANTISE])
    if mode == OutputMode.RAW:
        return Settings(mode)
    low, high = random.choice([(0, 255), (-128, 127), (-8, 7), (0, 15), (-256, 255), (random.randint(-128, 0), random.randint(0, 255))])
    return Settings(mode, low, high, random.random() < 0.5)


def random_channel(random: Random, bits: int) -> Channel:
    limit = 1 << bits - 2
    bias = random.choice([-limit, limit - 1, 0, random.randrange(-limit, limit)])
    shift = random.choice([random.randint(1, 31), random.randint(1, bits), random.randint(1, 8), 0])
    return Channel(bias, random.choice([1, 255, random.getrandbits(8)]) if shift else 0, shift)


def random_sum(random: Random, channel: Channel, settings: Settings, bits: int) -> int:
    """About the sign's threshold, about the clamps, between them, or anything; never so large that the bias overflows it."""
    limit = 1 << bits - 2
    wanted = (settings.low, settings.high, 0.5, *(random.uniform(settings.low, settings.high) for _ in range(4)))
    edges = [0, -1, 1, *(round(result * 2**channel.shift / max(1, channel.multiplier)) for result in wanted)]
    near = random.choice(edges) - channel.bias + random.randint(-1, 1)
    return random.choice([max(-limit, min(limit - 1, near)), random.randrange(-limit, limit), random.choice([-limit, limit - 1])])


def random_layer(random: Random, settings: Settings, rows: int, columns: int, bits: int, pooling: bool, windows: int = 12) -> list[Beat]:
    """Pooling windows one after the other: every sample for all grid rows, raw results in their byte planes."""
    beats = []
    for _ in range(windows):
        channels = [random_channel(random, bits) for _ in range(columns)]
        samples = 1 << settings.pool_shift if settings.average else random.choice([1, 2, 9])
        samples = 1 if settings.mode == OutputMode.RAW or not pooling else samples
        used = random.randint(1, rows)
        for i in range(samples):
            for row in range(used):
                sums = [random_sum(random, channel, settings, bits) for channel in channels]
                for plane in range(PLANES if settings.mode == OutputMode.RAW else 1):
                    beats.append(Beat(sums, channels, row, plane, i == 0, i == samples - 1, random.getrandbits(16)))
    return beats
