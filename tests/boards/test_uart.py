"""The serial port's circuits on the line's level: a naive sender and sampler that count clock cycles."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from gatewright.hw.uart import UartReceiver, UartTransmitter


def levels(byte: int, divisor: int, stop: int = 1) -> list[int]:
    """The line, cycle by cycle."""
    return [level for bit in (0, *(byte >> i & 1 for i in range(8)), stop) for level in [bit] * divisor]


def received(line: list[int], divisor: int) -> list[int]:
    receiver, got = UartReceiver(divisor), list[int]()

    async def bench(context: Any) -> None:
        for level in line:
            context.set(receiver.rx, level)
            await context.tick()
            if context.get(receiver.valid):
                got.append(context.get(receiver.data))

    simulator = Simulator(receiver)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return got


@pytest.mark.parametrize("divisor", [4, 5, 12])
def test_bytes_arrive_with_and_without_gaps(divisor: int) -> None:
    rng = random.Random(divisor)
    data = [0, 255, 0x55, 0xAA, *(rng.randrange(256) for _ in range(20))]
    line = [1] * 7
    for byte in data:
        line += levels(byte, divisor) + [1] * rng.choice([0, 0, 1, 3, 40])
    assert received(line + [1] * 2 * divisor, divisor) == data


def test_a_clock_that_is_off_by_three_per_cent_is_borne() -> None:
    data = [0x55, 0, 255, 0x7E]
    for sent in (97, 103):  # cycles a bit, where the receiver counts 100
        assert received([1] * 10 + [level for byte in data for level in levels(byte, sent)] + [1] * 300, 100) == data


def test_spikes_and_missing_stop_bits_give_no_byte() -> None:
    spike = [1] * 20 + [0] + [1] * 100
    assert received(spike, 8) == []
    broken = [1] * 20 + levels(0x0F, 8, stop=0) + [0] * 100 + [1] * 16 + levels(0x42, 8) + [1] * 20
    assert received(broken, 8) == [0x42]


@pytest.mark.parametrize("divisor", [4, 7])
def test_bytes_leave_as_levels(divisor: int) -> None:
    rng = random.Random(divisor)
    data, line = [0, 255, *(rng.randrange(256) for _ in range(10))], list[int]()
    transmitter = UartTransmitter(divisor)

    async def bench(context: Any) -> None:
        for byte in data:
            context.set(transmitter.data, byte)
            context.set(transmitter.valid, 1)
            while not context.get(transmitter.ready):
                line.append(context.get(transmitter.tx))
                await context.tick()
            line.append(context.get(transmitter.tx))
            await context.tick()
            context.set(transmitter.valid, 0)
            context.set(transmitter.data, rng.randrange(256))
        for _ in range(12 * divisor):
            line.append(context.get(transmitter.tx))
            await context.tick()

    simulator = Simulator(transmitter)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    sent, i = list[int](), 0
    while i < len(line):
        if line[i]:
            i += 1
            continue
        frame = line[i : i + 10 * divisor]
        byte = sum(frame[(1 + k) * divisor] << k for k in range(8))
        assert frame == levels(byte, divisor)
        sent.append(byte)
        i += 10 * divisor
    assert sent == data
