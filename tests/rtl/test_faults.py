"""What is wrong is caught: mutated RTL, corrupted weights and thresholds, damaged program files."""

import re
from pathlib import Path

import numpy as np
import pytest

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim.network import system_verilog
from gatewright.sw.program import Program
from tests.generators import Case, random_case
from tests.rtl.accelerators import SMALL
from tests.rtl.checks import complaint

CASES = [random_case(SMALL, 99, seed) for seed in range(12)]
MUTANTS = {  # module, what stands there first, what replaces it
    "a lane adds instead of multiplying": (r"lanes\d+", " * ", " + "),
    "the element takes away instead of adding": (r"element\w*", " + ", " - "),
    "a block's end comes one cycle off": ("sequencer", " == ", " != "),
    "bias is taken away": (r"channel\w*", " + ", " - "),
    "the threshold leaves out zero": (r"channel\w*", " >= ", " > "),
    "the store's addresses run backwards": ("store", "address_word + ", "address_word - "),
    "the drain never ends": ("drain", " == ", " != "),
    "padding reaches one pixel into the image": ("image", " < ", " <= "),
}


def mutate(verilog: str, module: str, old: str, new: str) -> str:
    """Replace the first `old` in the first module whose name is `gatewright_` and `module`."""
    found = re.search(rf"^module \\?gatewright_{module} ?\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    assert found
    place = verilog.index(old, found.start(), found.end())
    return verilog[:place] + new + verilog[place + len(old) :]


def fails(case: Case, verilog: str) -> bool:
    """Wrong results, wrong cycles, or no end."""
    try:
        return complaint(case, verilog=verilog) is not None
    except Mismatch:
        return True


def test_the_cases_pass() -> None:
    assert [found for found in map(complaint, CASES) if found] == []


@pytest.mark.parametrize("name", MUTANTS)
def test_mutated_rtl_is_caught(name: str) -> None:
    mutant = mutate(system_verilog(SMALL), *MUTANTS[name])
    assert any(fails(case, mutant) for case in CASES)


def corrupted(case: Case, kind: str) -> Case:
    """The case with one bit turned in the memory image: in the first word of the last block of such constants."""
    program = Program(case.program.network, case.program.schedule)
    image = case.program.image.copy()
    block = [block for block in program.schedule.blocks if block.kind == kind][-1]
    image[block.region.address] ^= np.uint64(2)
    program.__dict__["image"] = image
    return Case(case.seed, program, case.codes)


@pytest.mark.parametrize("kind", ["weights", "parameters", "windows"])
def test_a_corrupted_constant_is_caught(kind: str) -> None:
    """One bit of a weight, of a bias or of a window, in memory."""
    assert sum(complaint(corrupted(case, kind)) is not None for case in CASES) >= len(CASES) // 2


def test_a_program_file_is_what_was_saved(tmp_path: Path) -> None:
    for case in CASES:
        case.program.save(tmp_path / "program")
        again = Program.load(tmp_path / "program")
        np.testing.assert_array_equal(again.image, case.program.image)
        assert again.schedule == case.program.schedule
    assert [file.name for file in tmp_path.iterdir()] == ["program"]


def test_a_damaged_program_file_is_refused(tmp_path: Path) -> None:
    """Any one bit turned, anywhere in the file, or its end missing."""
    path = tmp_path / "program"
    CASES[0].program.save(path)
    good, rng = path.read_bytes(), np.random.default_rng(0)
    for place in [*range(24), *rng.integers(0, len(good), 200)]:
        damaged = bytearray(good)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match="program"):
            Program.load(path)
    for length in (0, 7, 8, 100, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(BadInput, match="program"):
            Program.load(path)
    with pytest.raises(BadInput, match="There is no program"):
        Program.load(tmp_path / "none")
