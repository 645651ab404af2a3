"""What every bench of a block needs: clock, reset, random pauses, and a check of what the block shows in each cycle.

A bench walks through what the documentation promises, cycle by cycle: it says the inputs of a cycle and what the outputs must be in it.
"""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from gatewright.hw.instructions import Layout

NOTHING: Mapping[str, int] = {}
Output = int | tuple[int, int]


class Bench:
    """One simulation of a block.

    `idle` gives its inputs with their values at rest; None stands for an input that must not matter then, and is random.
    `quiet` gives outputs with their values when nothing happens.
    """

    def __init__(self, dut: Any, seed: int, idle: Mapping[str, int | None], quiet: Mapping[str, int] = NOTHING) -> None:
        self.dut, self.random = dut, Random(seed)
        self.idle, self.quiet = dict(idle), dict(quiet)
        self.pauses = 0.4
        self.number = 0
        self._handles: dict[str, Any] = {}
        self._inputs: dict[str, int] = {}
        clocked = hasattr(dut, "clk")  # a block without registers has no clock
        self._settled, self._edge = (FallingEdge(dut.clk), RisingEdge(dut.clk)) if clocked else (Timer(5, "ns"), Timer(5, "ns"))

    async def start(self) -> "Bench":
        if hasattr(self.dut, "clk"):
            Clock(self.dut.clk, 10, unit="ns").start()
            self._set("rst", 1)
            await self._edge
            await self.reset()
        return self

    async def reset(self, cycles: int = 1) -> None:
        """Whatever the inputs are, the block stands still afterwards."""
        for _ in range(cycles):
            for name in self.idle:
                self._set(name, self.bits(len(self._handle(name))))
            if hasattr(self.dut, "rst"):
                self._set("rst", 1)
            await self._edge
        if hasattr(self.dut, "rst"):
            self._set("rst", 0)

    async def cycle(self, inputs: Mapping[str, int] = NOTHING, /, **outputs: Output) -> None:
        """One cycle: `inputs` in it (the others at rest), then the settled outputs compared with `outputs` (the others quiet).

        An output given as (value, mask) is compared where the mask has ones.
        """
        await self._apply(inputs)
        for name, expected in (self.quiet | outputs).items():
            value, mask = expected if isinstance(expected, tuple) else (expected, -1)
            found, mask = self.read(name), mask % (1 << len(self._handle(name)))
            assert found & mask == value & mask, f"cycle {self.number}: {name} is {found & mask}, not {value & mask}"
        await self._finish()

    async def shown(self, inputs: Mapping[str, int], *outputs: str) -> list[int]:
        """One cycle too; these outputs in it, once settled, for the bench to judge."""
        await self._apply(inputs)
        found = [self.read(name) for name in outputs]
        await self._finish()
        return found

    async def rest(self, cycles: int, inputs: Mapping[str, int] = NOTHING, /, **outputs: Output) -> None:
        for _ in range(cycles):
            await self.cycle(inputs, **outputs)

    async def handshake(
        self, port: str, inputs: Mapping[str, int] = NOTHING, waiting: Mapping[str, Output] = NOTHING, /, **outputs: Output
    ) -> None:
        """Hold back valid or ready (the input `port`) at random, then give it. `waiting` replaces some `outputs` until then."""
        while self.pause():
            await self.cycle({**inputs, port: 0}, **outputs | waiting)
        await self.cycle({**inputs, port: 1}, **outputs)

    def read(self, name: str) -> int:
        """An output as it is now, unsigned."""
        return int(self._handle(name).value)

    def pause(self) -> bool:
        return self.random.random() < self.pauses

    def bits(self, number: int) -> int:
        return self.random.getrandbits(number)

    def some(self, number: int, bits: int) -> list[int]:
        return [self.bits(bits) for _ in range(number)]

    async def _apply(self, inputs: Mapping[str, int]) -> None:
        for name, value in (self.idle | inputs).items():
            self._set(name, self.bits(len(self._handle(name))) if value is None else value)
        await self._settled

    async def _finish(self) -> None:
        await self._edge
        self.number += 1

    def _handle(self, name: str) -> Any:
        if name not in self._handles:
            self._handles[name] = getattr(self.dut, name)
        return self._handles[name]

    def _set(self, name: str, value: int) -> None:
        if self._inputs.get(name) != value:
            self._inputs[name] = value
            self._handle(name).value = value

    async def write_instruction(self, layout: Layout, fields: Mapping[str, int], operand_bits: int) -> None:
        """The fields' words, as they are fetched: one a cycle, with pauses, each into its place of the block's registers."""
        words = layout.encode(fields)
        per = operand_bits // 32
        for i in range(-(-len(words) // per)):
            word = packed(words[i * per : (i + 1) * per], 32)
            await self.handshake("instruction_write", {"instruction_index": i, "data": word})


def packed(values: Iterable[int], bits: int) -> int:
    """Values beside each other, the first lowest; negative ones in two's complement."""
    return sum((value % (1 << bits)) << i * bits for i, value in enumerate(values))
