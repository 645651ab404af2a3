"""Prints what the random programs covered, after the tests (with xdist too: the table travels with the test's report)."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tables = [value for report in terminalreporter.stats.get("passed", []) for name, value in report.user_properties if name == "table"]
    for title, rows in tables:
        terminalreporter.section(title)
        for name, value in rows:
            terminalreporter.write_line(f"{name:<36} {value:>8}")
