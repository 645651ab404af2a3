"""The instruction set: encoding, its refusals, and the registers that decode it."""

import random

import pytest
from amaranth.sim import Simulator

from gatewright.hw.instructions import COMPUTE, HEADER, LAYOUTS, WINDOW, Layout, Opcode
from gatewright.hw.registers import InstructionRegisters

WITH_FIELDS = [opcode for opcode in Opcode if opcode != Opcode.END]


def decoded(layout: Layout, words: list[int]) -> dict[str, int]:
    return {name: words[word] >> bit & ((1 << bits) - 1) for name, (word, bit, bits) in layout.places.items()}


@pytest.mark.parametrize("layout", [HEADER, WINDOW, *LAYOUTS.values()])
def test_fields_do_not_overlap_nor_cross_words(layout: Layout) -> None:
    taken = [(word, place) for word, bit, bits in layout.places.values() for place in range(bit, bit + bits)]
    assert len(taken) == len(set(taken))
    assert all(word < layout.words and place < 32 for word, place in taken)


@pytest.mark.parametrize("opcode", WITH_FIELDS)
def test_round_trip(opcode: Opcode) -> None:
    layout, rng = LAYOUTS[opcode], random.Random(opcode)
    for _ in range(50):
        values = {name: rng.randrange(1 << bits) for name, (_, _, bits) in layout.places.items()}
        assert decoded(layout, layout.encode(values)) == values


def test_negative_values_are_twos_complement() -> None:
    zeros = dict.fromkeys(COMPUTE.places, 0)
    assert decoded(COMPUTE, COMPUTE.encode(zeros | {"low": -128}))["low"] == 512 - 128


@pytest.mark.parametrize(("name", "value"), [("low", 512), ("low", -257), ("last0", 4096), ("drain", 2), ("operator", -9)])
def test_what_does_not_fit_is_refused(name: str, value: int) -> None:
    with pytest.raises(OverflowError, match=f"{name} = {value} does not fit"):
        COMPUTE.encode(dict.fromkeys(COMPUTE.places, 0) | {name: value})


def test_missing_and_unknown_fields_are_refused() -> None:
    with pytest.raises(KeyError, match="image"):
        WINDOW.encode({"x": 0, "y": 0, "n": 0, "image": 0})
    with pytest.raises(KeyError, match="'n'"):
        WINDOW.encode({"x": 0, "y": 0})


@pytest.mark.parametrize("operand_bits", [32, 64])
@pytest.mark.parametrize("opcode", WITH_FIELDS)
def test_registers_decode_what_was_written(opcode: Opcode, operand_bits: int) -> None:
    """Memory words arrive one by one; between instructions other words pass without being written."""
    layout, rng = LAYOUTS[opcode], random.Random(opcode)
    registers, per = InstructionRegisters(layout, operand_bits), operand_bits // 32
    seen = []

    async def bench(context: object) -> None:
        for _ in range(5):
            values = {name: rng.randrange(1 << bits) for name, (_, _, bits) in layout.places.items()}
            words = layout.encode(values) + [rng.randrange(1 << 32)] * (-layout.words % per)
            memory = [sum(word << 32 * j for j, word in enumerate(words[i : i + per])) for i in range(0, len(words), per)]
            assert len(memory) == layout.memory_words(operand_bits) - 1
            for index, word in enumerate(memory):
                context.set(registers.index, index)
                for write, data in ((0, rng.randrange(1 << operand_bits)), (1, word)):
                    context.set(registers.write, write)
                    context.set(registers.data, data)
                    await context.tick()
            context.set(registers.write, 0)
            seen.append(({name: context.get(registers[name]) for name in layout.places}, values))

    simulator = Simulator(registers)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(seen) == 5
    assert all(shown == values for shown, values in seen)
