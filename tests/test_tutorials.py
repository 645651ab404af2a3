"""The tutorials work as they stand: their files are written, their commands and their Python run, in a folder of its own."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewright.cli import main

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
FILE = re.compile(r"Write \w+ to `(?P<name>[\w.]+)`:$")


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """Language, text and file name (or none) of each block of code."""
    for found in BLOCK.finditer(text):
        file = FILE.search(found["before"])
        yield found["language"], found["text"], file["name"] if file else ""


def run(text: str) -> None:
    """Write and run the blocks in order; commands must succeed."""
    for language, body, name in blocks(text):
        if name:
            Path(name).write_text(body)
        elif language == "python":
            exec(compile(body, "tutorial", "exec"), {"__name__": "tutorial"})
        elif language == "sh":
            for command in body.splitlines():
                program, *arguments = command.split()
                assert program == "gatewright", command
                assert main.main(arguments) == 0, command


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials(tutorial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    run(tutorial.read_text())
    assert list(tmp_path.glob("runs/*/winner/gatewright.v"))


def test_a_tutorial_that_fails_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "Write it to `a.toml`:\n\n```toml\nname = 1\n```\n\nThen\n\n```sh\ngatewright explore a.toml\n```\n"
    with pytest.raises(AssertionError, match=r"gatewright explore a.toml"):
        run(text)
    with pytest.raises(ZeroDivisionError):
        run("So\n\n```python\n1 / 0\n```\n")
