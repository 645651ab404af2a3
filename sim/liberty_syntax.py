"""The syntax of a Liberty file: nested groups with attributes, and the line of every place in it."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.errors import BadInput

Floats = NDArray[np.float64]

_SEPARATORS = str.maketrans('",\\', "   ")
_COMMENT = re.compile(r'"[^"]*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
_STATEMENT = re.compile(
    r"""[\s;\\]*(?:
        (?P<close>\})
      | (?P<name>[\w.\[\]-]+)[\s\\]*(?:
            :[ \t]*(?:"(?P<text>[^"]*)"|(?P<word>[^;\n{}"]*))[ \t\r]*(?:;|(?=[\n}]|\Z))
          | \((?P<arguments>(?:"[^"]*"|[^()"])*)\)[\s\\]*(?P<open>\{)?
        )
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


@dataclass
class Group:
    """`kind (arguments) { ... }`, with the place it opens at."""

    kind: str
    arguments: str
    offset: int
    attributes: dict[str, str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.arguments.strip().strip('"')

    def all(self, kind: str) -> Iterator["Group"]:
        return (group for group in self.groups if group.kind == kind)


class Source:
    """The text of a file, which knows the line of every offset."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name

    @cached_property
    def _lines(self) -> list[int]:
        return [0] + [match.end() for match in re.finditer("\n", self.text)]

    def error(self, offset: int, why: str, remedy: str = "Check that the file is complete and in the Liberty format.") -> BadInput:
        return BadInput(f"{self.name}, line {bisect_right(self._lines, offset)}: {why}. {remedy}")

    def number(self, group: Group, key: str, default: float | None = None) -> float:
        text = group.attributes.get(key)
        if text is None and default is not None:
            return default
        try:
            return float(text or "")
        except ValueError:
            got = "it is missing" if text is None else f"got {text!r}"
            raise self.error(group.offset, f"{group.kind} ({group.name}) needs a number for {key}, {got}") from None

    def numbers(self, text: str, group: Group) -> Floats:
        try:
            return np.array(text.translate(_SEPARATORS).split(), dtype=np.float64)
        except ValueError as error:
            raise self.error(group.offset, f"{group.kind} ({group.name}) holds something that is not a number ({error})") from None


def parse(text: str, name: str = "Liberty text") -> tuple[Group, Source]:
    """The tree of groups. Raises BadInput with file and line where the text is not Liberty."""
    source = Source(_COMMENT.sub(_blank, text), name)
    root = Group("file", "", 0)
    stack, position, match_at = [root], 0, _STATEMENT.match
    while True:
        match = match_at(source.text, position)
        if match is None:
            position += len(re.match(r"[\s;\\]*", source.text[position:])[0])  # type: ignore[index]
            line = source.text[position:].split("\n", 1)[0].strip()
            raise source.error(position, f"expected `name : value;`, `name (...) {{` or `}}`, found {line[:40]!a}")
        position = match.end()
        key = match["name"]
        if key is not None:
            if match["open"]:
                group = Group(key, match["arguments"], match.start("name"))
                stack[-1].groups.append(group)
                stack.append(group)
            elif match["arguments"] is not None:
                stack[-1].calls[key] = match["arguments"]
            else:
                value = match["text"]
                stack[-1].attributes[key] = match["word"].strip() if value is None else value
        elif match["close"]:
            if len(stack) == 1:
                raise source.error(match.start("close"), "a closing brace has no opening one")
            stack.pop()
        else:
            break
    if len(stack) > 1:
        raise source.error(stack[-1].offset, f"the group {stack[-1].kind} ({stack[-1].name}) is never closed")
    return root, source


def _blank(match: re.Match[str]) -> str:
    """Comments become blanks of the same shape, so that offsets still give lines; strings stay."""
    text = match[0]
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)
