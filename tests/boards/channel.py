"""A line that corrupts, drops, doubles and delays bytes, between the driver and a port: seeded, so that a failure can be repeated."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewright.boards.link import Port

KINDS = ("corrupt", "drop", "double", "delay")


@dataclass
class FaultyPort:
    """`rates`: how likely each kind of fault is for a byte; `done` counts them. A delayed byte comes after up to three later ones."""

    port: Port
    seed: int
    rates: Mapping[str, float]
    ways: tuple[str, ...] = ("out", "in")
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.late: dict[str, list[tuple[int, int]]] = {"out": [], "in": []}

    @property
    def in_waiting(self) -> int:
        return self.port.in_waiting

    def write(self, data: bytes, /) -> int | None:
        self.port.write(self.pass_on("out", data))
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        return self.pass_on("in", self.port.read(size))

    def pass_on(self, way: str, data: bytes) -> bytes:
        """What comes out at the other end."""
        if way not in self.ways:
            return data
        out = bytearray()
        for byte in data:
            kind = next((kind for kind in KINDS if self.rng.random() < self.rates.get(kind, 0.0)), None)
            if kind is not None:
                self.done[kind] += 1
            if kind == "corrupt":
                byte ^= 1 << self.rng.randrange(8)
            if kind == "delay":
                self.late[way].append((self.rng.randrange(1, 4), byte))
                continue
            out += bytes([byte] * {"drop": 0, "double": 2}.get(kind or "", 1))
            out += bytes(held for wait, held in self.late[way] if wait == 1)
            self.late[way] = [(wait - 1, held) for wait, held in self.late[way] if wait > 1]
        return bytes(out)
