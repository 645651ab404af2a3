"""Block RAM may give anything when a word is read in the cycle that writes it, and synthesis is told that nobody minds.

Here every on-chip memory gives wrong data then, and whole networks still give the golden model's results.
"""

import re

import pytest

from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.sim.network import system_verilog
from tests.generators import random_case
from tests.rtl.checks import complaint

SMALL = AcceleratorConfig(
    rows=2,
    cols=2,
    operand_bits=32,
    operators=(integer(4), xnor()),
    accumulator_bits=14,
    accumulator_depth=4,
    activation_words=64,
    weight_words=64,
    output_words=32,
    parameter_words=8,
)
READ = re.compile(r"if \((\S*read\S*en\S*)\) begin\s+(\S+) <= array\[(\S+)\];\s+end")


def spoilt(verilog: str) -> tuple[str, int]:
    """Every memory gives the complement of a word that is read while it is written."""

    def module(text: str) -> tuple[str, int]:
        if not (read := READ.search(text)):
            return text, 0
        write_enable, write_address = (re.search(rf"input .*?(write__{name})\b", text)[1] for name in ("en", "addr"))  # type: ignore[index]
        wrong = f"(|{write_enable} && {write_address} == {read[3]}) ? ~array[{read[3]}] : array[{read[3]}]"
        return text[: read.start()] + f"if ({read[1]}) {read[2]} <= {wrong};" + text[read.end() :], 1

    parts = re.split(r"(?<=^endmodule\n)", verilog, flags=re.MULTILINE)
    done = [module(part) for part in parts]
    return "".join(text for text, _ in done), sum(count for _, count in done)


def test_no_result_rests_on_a_word_read_while_it_is_written() -> None:
    verilog = system_verilog(SMALL)
    changed, memories = spoilt(verilog)
    assert memories == verilog.count("] array [") > 4
    assert [found for found in (complaint(random_case(SMALL, 77, seed), verilog=changed) for seed in range(10)) if found] == []


@pytest.mark.boards
def test_the_spoilt_memories_are_noticed_where_reads_and_writes_meet() -> None:
    """Memories that are wrong for the word last written, a cycle later too, do change results: the change above is no empty one."""
    verilog, _ = spoilt(system_verilog(SMALL))
    always = re.sub(r"\(\|\S+ && \S+ == \S+\) \?", "(1'b1) ?", verilog)
    assert always != verilog
    assert any(complaint(random_case(SMALL, 77, seed), verilog=always) for seed in range(2))
