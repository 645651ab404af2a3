"""The import rules of the folders, by import-linter; the contracts stand in pyproject.toml."""

from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[1]
FOLDERS = ("boards", "cli", "dse", "hw", "sim", "sw")


def test_the_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename="pyproject.toml", cache_dir=None)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_linked_folders_are_seen() -> None:
    graph = grimp.build_graph("gatewright", cache_dir=None)
    assert {f"gatewright.{folder}" for folder in FOLDERS} <= graph.modules
    assert "gatewright.hw.config" in graph.find_modules_directly_imported_by("gatewright.sw.layers")
