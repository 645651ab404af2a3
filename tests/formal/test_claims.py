"""Lane sums and invariants: a few real proofs, and a mutant for each checker."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.names import operator_named
from gatewright.hw.operators import circuit
from gatewright.hw.verilog import emit
from gatewright.sim.formal import blocks, operators
from gatewright.sim.formal.claim import Claim, judge
from gatewright.sim.formal.equivalence import Proof, Undecided
from gatewright.sim.formal.graphs import graph
from gatewright.sim.formal.invariants import assert_always, prove_always
from gatewright.sim.formal.lanes import lanes_of, prove_sum
from gatewright.sim.formal.monitors import ComputeMonitor, FetchMonitor, LinearMonitor, LoopNestMonitor, StoreMonitor
from gatewright.sim.formal.specification import product


@pytest.mark.parametrize("name", ["int2", "int2x3s", "bw2", "xnor", "shift3x2"])
def test_lanes(name: str) -> None:
    operators.prove_lanes(operator_named(name), 8, 30)


def test_a_popcount_of_64_bits() -> None:
    """The compressor tree of 64 one-bit products: by its full adders."""
    assert operators.prove_lanes(operator_named("xnor"), 64, 30).method == "every pair, full adders"


def test_a_lane_that_subtracts_is_refuted() -> None:
    operator = operator_named("int2")
    text = emit(circuit(operator).Lanes(operator, 8), "lanes")
    before, found, after = text.rpartition(" * ")
    assert found
    of = product(operator)
    with pytest.raises(Mismatch, match=r"The operands of lane \d must add"):
        prove_sum(graph(before + " + " + after), of, lanes_of(operator, of, 8, (8, 8)), (-6, 6))


def test_a_sum_without_room_is_refuted() -> None:
    operator = operator_named("int2")
    of = product(operator)
    with pytest.raises(Mismatch, match="no room"):
        prove_sum(graph(circuit(operator).Lanes(operator, 8)), of, lanes_of(operator, of, 8, (8, 8)), (-60, 60))


def test_every_pair_finds_a_wrong_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = operator_named("int2")
    operators.every_pair(operator)
    monkeypatch.setattr(operators, "emit", lambda component, name: emit(component, name).replace(" * ", " - ", 1))
    with pytest.raises(Mismatch, match=r"Lane \d+ of int2: activation bits"):
        operators.every_pair(operator)


class Saturating(wiring.Component):
    """Counts to 5 and stays; states that and two things that are false, one of them only without its assumption."""

    def __init__(self) -> None:
        names = ("holds_at_most_5", "holds_at_most_4", "given_nothing")
        super().__init__({"n": Out(3)} | {name: Out(1) for name in names})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.n != 5):
            m.d.sync += self.n.eq(self.n + 1)
        m.d.comb += [self.holds_at_most_5.eq(self.n <= 5), self.holds_at_most_4.eq(self.n <= 4), self.given_nothing.eq(1)]
        return m


def test_an_invariant_is_proved_for_all_time_and_a_false_one_refuted() -> None:
    assert assert_always(Saturating(), "at_most_5").method == "PDR, unbounded"
    with pytest.raises(Mismatch, match="at_most_4 does not hold in cycle 5"):
        assert_always(Saturating(), "at_most_4")


def test_an_assumption_limits_what_is_looked_at() -> None:
    circuit = graph(Saturating())
    circuit.outputs["given_small"] = circuit.outputs["holds_at_most_4"]
    prove_always(circuit, "at_most_4")


def test_an_unknown_property_is_an_error() -> None:
    with pytest.raises(BadInput, match="states at_most_4, at_most_5"):
        assert_always(Saturating(), "at_most_6")


def test_a_loop_nest_that_counts_beyond_its_bound_is_refuted() -> None:
    text = emit(LoopNestMonitor(2, 2), "nest")
    prove_always(graph(text, "nest"), "range")
    assert text.count(" == ")
    with pytest.raises(Mismatch, match="range does not hold in cycle"):
        prove_always(graph(text.replace(" == ", " >= ", 1).replace(" == ", " > ", 1), "nest"), "range")


MUTANTS = [  # a monitor, what is changed in its block's Verilog the first or last time it occurs, and the property that this breaks
    (LinearMonitor, "data_valid & data_ready", "data_valid | data_ready", 0, "no_word_beside_a_load"),
    (LinearMonitor, "request_valid & request_ready", "request_valid | request_ready", 0, "request_held"),
    (StoreMonitor, "count_n == ", "count_n != ", 0, "a_read_for_every_word"),
    (StoreMonitor, "~ compute_busy", "~ 1'h0", -1, "reads_after_compute"),
    (FetchMonitor, "data_valid & data_ready", "data_valid | data_ready", 0, "one_dispatch_an_instruction"),
    (ComputeMonitor, "- { 1'h0, drained }", "+ { 1'h0, drained }", 0, "drained_what_was_complete"),
]


@pytest.mark.parametrize(
    ("kind", "right", "wrong", "which", "name"), MUTANTS, ids=[f"{kind.__name__}-{name}" for kind, *_, name in MUTANTS]
)
def test_a_mutant_breaks_what_its_monitor_states(kind: type[StoreMonitor], right: str, wrong: str, which: int, name: str) -> None:
    text = emit(kind(blocks.CONFIGS["small"]), "monitor")
    before, found, after = text.rpartition(right) if which else text.partition(right)
    assert found
    with pytest.raises(Mismatch, match=f"{name} does not hold in cycle"):
        prove_always(graph(before + wrong + after, "monitor"), name, 10)


def test_an_adder_that_is_wrong_for_two_lanes_only_is_refuted() -> None:
    operator = operator_named("int2")
    text = emit(circuit(operator).Lanes(operator, 8), "lanes")
    before, found, after = text.rpartition(" + ")
    assert found
    of = product(operator)
    with pytest.raises(Mismatch, match=r"The operands of lane \d must add"):
        prove_sum(graph(before + " | " + after), of, lanes_of(operator, of, 8, (8, 8)), (-6, 6))


def test_a_claim_says_what_came_of_it() -> None:
    def undecided(_: float) -> Proof:
        raise Undecided("too hard")

    assert judge(Claim("a", "b", "c", lambda _: Proof("SAT", 1.0)), 1).result == "proved"
    verdict = judge(Claim("a", "b", "c", undecided), 1)
    assert (verdict.result, verdict.note) == ("undecided", "too hard")
