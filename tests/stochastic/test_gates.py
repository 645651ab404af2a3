"""The documented cost of blocks in gates, one row of them made again."""

from pathlib import Path

import pytest

from gatewright.sim import stochastic_blocks as blocks

TEXT = (Path(__file__).parents[2] / "docs" / "stochastic.md").read_text(encoding="utf-8")


def test_every_plan_and_adder_is_documented() -> None:
    documented = TEXT.partition(blocks.BEGIN)[2].partition(blocks.END)[0]
    assert all(f"| {name} | {plan.sharing} | " in documented for name, plan in blocks.plans())
    assert all(f"| {name} of 64 | " in documented for name, _ in blocks.adders())


def test_sharing_saves_energy_by_the_documented_figures() -> None:
    rows = [line.split(" | ") for line in TEXT.partition(blocks.BEGIN)[2].splitlines() if line.startswith("| own registers")]
    energies = [float(row[-1].rstrip(" |")) for row in rows]
    assert energies == sorted(energies, reverse=True)
    assert energies[0] > 5 * energies[-1]


@pytest.mark.filterwarnings("ignore")  # Amaranth's, of blocks that are not made
def test_a_row_is_what_gates_cost() -> None:
    """The OR of 64 streams: small enough to synthesise here."""
    made = next(block for block in blocks.blocks() if block[0] == "OR of 64")
    assert blocks.row(*made) in TEXT
