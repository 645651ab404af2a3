"""The table of reference accuracies is what its record says, and the record is of the networks that are listed now."""

from pathlib import Path

import pytest

from gatewright.hw.errors import BadInput
from gatewright.sw.accuracy import below, wilson
from gatewright.sw.models import layer_names
from gatewright.sw.reference import END, START, Row, keep, main, read, references, table

RECORD = Path(__file__).parents[2] / "docs" / "accuracy.json"


def test_the_table_equals_its_record() -> None:
    page = RECORD.with_suffix(".md").read_text()
    assert page.partition(START)[2].partition(END)[0] == table(read(RECORD))


def test_the_record_is_of_the_networks_that_are_listed() -> None:
    known = references()
    for name, row in read(RECORD).items():
        assert row.experiment == known[name].content_hash, f"{name} has changed: make accuracy NAME={name}"
        assert (row.epochs, row.seed, row.network) == (known[name].recipe.epochs, known[name].recipe.seed, known[name].architecture.name)
        assert row.epochs <= 20
        for part in (row.test, row.validation):
            assert part == wilson(round(part.value * part.n), part.n)
        assert row.test.n == {"digits": 500, "mnist": 3000, "cifar10": 10000}[known[name].dataset]


def test_which_networks_are_listed() -> None:
    for name, experiment in references().items():
        assert len(experiment.architecture.operators) in (1, len(layer_names(experiment.architecture)))
        if name.endswith("_mixed"):
            assert len({*experiment.architecture.operators}) >= 3


def test_a_new_row_goes_to_its_place(tmp_path: Path) -> None:
    first, second, *_ = references()
    page = tmp_path / "accuracy.md"
    page.write_text(f"before\n{START}old\n{END}after\n")
    rows = {}
    for name in (second, first):
        rows[name] = Row(
            name=name,
            data="digits",
            network="n",
            test=wilson(450, 500),
            validation=wilson(1, 3),
            epochs=1,
            seed=0,
            seconds=1234.5,
            torch="2",
            experiment="x",
        )
    keep(rows, tmp_path / "accuracy.json")
    assert [*read(tmp_path / "accuracy.json")] == [first, second]
    assert page.read_text() == f"before\n{START}{table(rows)}{END}after\n"
    assert f"| digits | `n` | 90.0% (87.1..92.3%) | 500 | 1 | 0 | 1,234 | `{first}` |" in page.read_text()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(BadInput, match="nonsense is no reference; they are digits_mlp_int8, "):
        main(["nonsense"])


def test_below_by_more_than_chance_explains() -> None:
    """Against the z test by hand: 1.96 standard deviations of the difference are 1.92 points at 96.8 of 98.4% and n = 500."""
    assert not below(wilson(484, 500), wilson(492, 500))
    assert below(wilson(480, 500), wilson(492, 500))
    assert not below(wilson(492, 500), wilson(480, 500))
    assert not below(wilson(500, 500), wilson(500, 500))
