"""A line that does wrong with bytes or with whole frames, between the driver and a port: seeded, so that a failure can be repeated."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewright.boards.link import Port

FLAG = 0x7E
KINDS = ("corrupt", "drop", "double", "delay", "repeat")


@dataclass
class FaultyPort:
    """`rates`: how likely each kind of fault is for a byte, or for a frame if `frames`; `done` counts them.

    What is delayed comes after one to three later ones of its way, what is repeated comes at its time and once more then. The host sends no
    new frame before its timeout, so a delayed frame is later than that, and delayed by one it changes places with its repetition.
    """

    port: Port
    seed: int
    rates: Mapping[str, float]
    ways: tuple[str, ...] = ("out", "in")
    frames: bool = False
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.late: dict[str, list[tuple[int, bytes]]] = {"out": [], "in": []}
        self.begun = {"out": bytearray(), "in": bytearray()}

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
        for item in self.items(way, data):
            kind = next((kind for kind, rate in self.rates.items() if self.rng.random() < rate), "")
            if kind:
                self.done[kind] += 1
            if kind in ("delay", "repeat"):
                self.late[way].append((self.rng.randrange(1, 4), item))
                if kind == "delay":
                    continue
            if kind == "corrupt":
                i = self.rng.randrange(len(item))
                item = item[:i] + bytes([item[i] ^ 1 << self.rng.randrange(8)]) + item[i + 1 :]
            out += item * {"drop": 0, "double": 2}.get(kind, 1)
            if kind == "repeat":
                continue  # its copy waits for later ones
            out += b"".join(held for wait, held in self.late[way] if wait == 1)
            self.late[way] = [(wait - 1, held) for wait, held in self.late[way] if wait > 1]
        return bytes(out)

    def items(self, way: str, data: bytes) -> list[bytes]:
        """The bytes, or the frames that end in `data`, from flag to flag."""
        if not self.frames:
            return [bytes([byte]) for byte in data]
        found, begun = [], self.begun[way]
        for byte in data:
            begun.append(byte)
            if byte == FLAG and len(begun) > 1:
                found.append(bytes(begun))
                begun.clear()
        return found
