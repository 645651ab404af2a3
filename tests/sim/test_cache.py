import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sim import cache


def test_a_key_depends_on_every_part_and_on_no_order() -> None:
    assert cache.key(a=1, b={"x": 1, "y": 2}) == cache.key(b={"y": 2, "x": 1}, a=1)
    assert len({cache.key(a=integer(8)), cache.key(a=integer(4)), cache.key(b=integer(8)), cache.key(a=8)}) == 4


def test_a_key_is_the_same_in_another_process() -> None:
    code = "from gatewright.sim import cache; from gatewright.hw.config import integer; print(cache.key(a=integer(8), b=[1]))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert other.stdout.strip() == cache.key(a=integer(8), b=[1])


def test_a_value_is_computed_once(tmp_path: Path) -> None:
    calls = []

    def compute() -> dict[str, int]:
        calls.append(1)
        return {"answer": 42}

    assert [cache.value("things", "one", compute, tmp_path) for _ in range(3)] == [{"answer": 42}] * 3
    assert len(calls) == 1


@pytest.mark.parametrize("damage", ["value.json", "manifest.json"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    cache.value("things", "one", lambda: 1, tmp_path)
    (tmp_path / "things" / "one" / damage).write_text("7")
    assert cache.value("things", "one", lambda: 2, tmp_path) == 2


def test_a_lost_file_is_noticed(tmp_path: Path) -> None:
    entry = cache.folder("things", "one", lambda folder: [(folder / name).write_text(name) for name in "ab"] and None, tmp_path)
    (entry / "b").unlink()
    assert not cache.intact(entry)


def test_nothing_is_kept_of_what_went_wrong(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise BadInput("no")

    with pytest.raises(BadInput, match="no"):
        cache.folder("things", "one", make, tmp_path)
    assert list((tmp_path / "things").iterdir()) == []


@pytest.mark.parametrize(("number", "text"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "cannot be written")])
def test_what_the_disk_refuses_is_one_clear_error(tmp_path: Path, number: int, text: str) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(number, "refused")

    with pytest.raises(BadInput, match=f"{text}.*GATEWRIGHT_CACHE") as caught:
        cache.folder("things", "one", make, tmp_path)
    assert caught.value.exit_status == 2
    assert list((tmp_path / "things").iterdir()) == []


def test_two_makers_of_one_entry_agree(tmp_path: Path) -> None:
    def slow(folder: Path) -> None:
        cache.value("things", "one", lambda: "first", tmp_path)  # another process finishes meanwhile
        (folder / "value.json").write_text('"second"')

    entry = cache.folder("things", "one", slow, tmp_path)
    assert (entry / "value.json").read_text() == '"first"'
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["one"]


def test_the_folder_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path))
    assert cache.location() == tmp_path
    monkeypatch.delenv("GATEWRIGHT_CACHE")
    assert cache.location() == Path.home() / ".cache" / "gatewright"


def test_only_values_make_keys() -> None:
    thing: Any = object()
    with pytest.raises(TypeError, match="JSON values and nouns"):
        cache.key(a=thing)
