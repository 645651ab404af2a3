"""The same circuit written otherwise: generated Verilog with other names, other orders of what has none, and operands exchanged.

This reads what `hw.verilog.emit` writes (one statement after another, two blanks deep), not Verilog at large.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gatewright.hw.errors import BadInput
from gatewright.sim.design import CLOCK, RESET

_MODULE = re.compile(r"^module (\S+?) ?\((.*?)\);\n(.*?)^endmodule\n", re.MULTILINE | re.DOTALL)
_START = re.compile(r"^  (?!end\b|\))\S")
_DECLARATION = re.compile(r"^  (?:input|output|wire|reg)\b(?: signed)?(?: \[\d+:\d+\])? (\\\S+|[\w$]+)")
_ARRAY = re.compile(r"^  reg .*\[\d+:\d+\];$", re.MULTILINE)
_INSTANCE = re.compile(r"^  (\\\S+|[\w$]+) +(\\\S+|[\w$]+) +\(\n")
_CONNECTION = re.compile(r"^    \.(\\\S+|[\w$]+) ?\((.*)\),?$", re.MULTILINE)
_TOKEN = re.compile(r"/\*.*?\*/|\d*'s?[bodh][0-9a-fxz?_]+|\\\S+|\$?[A-Za-z_][\w$]*", re.DOTALL)
_COMMUTATIVE = ("&", "|", "^", "+", "*", "==", "!=")

Names = dict[str, str]


@dataclass(frozen=True)
class _Module:
    """`ports` and `declarations` in the order they were written; `items` are assignments, processes and instances."""

    name: str
    ports: tuple[str, ...]
    declarations: tuple[str, ...]
    items: tuple[str, ...]

    def __str__(self) -> str:
        return f"module {self.name}({', '.join(self.ports)});\n{''.join(self.declarations + self.items)}endmodule\n"


def renamed(verilog: str, top: str, seed: int) -> tuple[str, Names]:
    """Other names for all modules, instances, signals and ports but `top`'s; also what each instance was called, by its new name."""
    modules, make = _parse(verilog), _names(seed)
    names = {module.name: top if module.name == top else make() for module in modules}
    signals: dict[str, Names] = {}
    for module in modules:
        declared = [_plain(match[1]) for line in module.declarations if (match := _DECLARATION.match(line))]
        kept = {CLOCK, RESET} | ({_plain(port) for port in module.ports} if module.name == top else set())
        signals[module.name] = {name: name if name in kept else make() for name in dict.fromkeys(declared)}
    instances: Names = {}
    changed = []
    for module in modules:
        own = signals[module.name]
        items = [_renamed_item(item, own, names, signals, instances, make) for item in module.items]
        spelt = {name: port for port in module.ports if own[name := _plain(port)] == name}  # a kept name keeps its spelling
        ports = tuple(spelt.get(_plain(port), own[_plain(port)]) for port in module.ports)
        changed.append(_Module(names[module.name], ports, tuple(_substitute(line, own) for line in module.declarations), tuple(items)))
    return _text(changed), instances


def _renamed_item(item: str, own: Names, modules: Names, signals: Mapping[str, Names], instances: Names, make: Callable[[], str]) -> str:
    match = _INSTANCE.match(item)
    if match is None or match[1] not in modules:
        return _substitute(item, own)
    inner, name = signals[match[1]], make()
    instances[name] = _plain(match[2])
    lines = [f"    .{inner[_plain(port)]} ({_substitute(value, own)})" for port, value in _CONNECTION.findall(item)]
    return f"  {modules[match[1]]} {name} (\n" + ",\n".join(lines) + "\n  );\n"


def reordered(verilog: str, seed: int) -> str:
    """Modules, their ports, declarations, statements and instances' connections in another order. Memories stay as they are."""
    rng = random.Random(seed)

    def shuffled(things: Sequence[str]) -> tuple[str, ...]:
        return tuple(rng.sample(things, len(things)))

    def item(text: str) -> str:
        if not _INSTANCE.match(text):
            return text
        lines = shuffled([f"    .{port} ({value})" for port, value in _CONNECTION.findall(text)])
        return text.partition("\n")[0] + "\n" + ",\n".join(lines) + "\n  );\n"

    modules = []
    for module in _parse(verilog):
        ports = shuffled(module.ports)
        if _ARRAY.search("".join(module.declarations + module.items)):
            modules.append(replace(module, ports=ports))
        else:
            items = shuffled([item(text) for text in module.items])
            modules.append(replace(module, ports=ports, declarations=shuffled(_by_name(module.declarations)), items=items))
    return _text(rng.sample(modules, len(modules)))


def _by_name(declarations: Iterable[str]) -> list[str]:
    """What is declared of each name, together: `input` comes before `wire`."""
    found: Names = {}
    for line in declarations:
        match = _DECLARATION.match(line)
        name = match[1] if match else line
        found[name] = found.get(name, "") + line
    return list(found.values())


def exchanged(verilog: str, seed: int) -> str:
    """The two operands of about half of all sums, products, comparisons and logical operations change sides."""
    rng = random.Random(seed)
    return _text(
        replace(module, items=tuple(_exchange(item) if rng.random() < 0.5 else item for item in module.items)) for module in _parse(verilog)
    )


def _exchange(item: str) -> str:
    match = re.fullmatch(r"  assign (.+?) = (.+);\n", item)
    if match is None or (sides := _operands(match[2])) is None:
        return item
    left, operation, right = sides
    return f"  assign {match[1]} = {right} {operation} {left} ;\n"


def _operands(expression: str) -> tuple[str, str, str] | None:
    """Both sides of an expression that is one commutative operation on two operands."""
    words, depth, start = [], 0, 0
    for match in re.finditer(r"\\\S+\s|[({\[]|[)}\]]|\s+", expression):
        if match[0][0] in "({[":
            depth += 1
        elif match[0][0] in ")}]":
            depth -= 1
        elif match[0].isspace() and depth == 0:
            words.append(expression[start : match.start()])
            start = match.end()
    words = [word for word in (*words, expression[start:]) if word.strip()]
    at = [i for i, word in enumerate(words) if word in _COMMUTATIVE]
    joined = [word for word in words if not re.match(r"[\[]", word)]  # `\a [3]` is one operand in two words
    if len(at) != 1 or len(joined) != 3 or joined[1] not in _COMMUTATIVE:
        return None
    return " ".join(words[: at[0]]), words[at[0]], " ".join(words[at[0] + 1 :])


def _parse(verilog: str) -> list[_Module]:
    modules = []
    for name, ports, body in _MODULE.findall(verilog):
        items: list[str] = []
        for line in body.splitlines(keepends=True):
            if _START.match(line):
                items.append(line)
            elif items:
                items[-1] += line
            else:
                raise BadInput(f"Module {name} does not begin with a statement: {line!r}. Give Verilog as Gatewright writes it.")
        # what is declared between statements (a memory's read register) stays there
        count = next((i for i, item in enumerate(items) if not _DECLARATION.match(item) or _ARRAY.match(item)), len(items))
        modules.append(_Module(name, tuple(port.strip() + " " for port in ports.split(",")), tuple(items[:count]), tuple(items[count:])))
    if not modules:
        raise BadInput("There is no module in the text. Give Verilog as Gatewright writes it.")
    return modules


def _text(modules: Iterable[_Module]) -> str:
    return "\n".join(str(module) for module in modules)


def _plain(name: str) -> str:
    return name.strip().removeprefix("\\")


def _substitute(text: str, names: Names) -> str:
    """Every identifier by its new name; one that is not in `names` (a keyword, `$signed`) stays."""

    def new(match: re.Match[str]) -> str:
        name = names.get(_plain(match[0]), match[0])
        return match[0] if name == _plain(match[0]) else name

    return _TOKEN.sub(new, text)


def _names(seed: int) -> Callable[[], str]:
    """Random names, none of them twice: their alphabetical order says nothing."""
    rng = random.Random(seed)

    def fresh() -> Iterator[str]:
        seen: set[str] = set()
        while True:
            name = f"{rng.choice('abcdefghijklmnopqrstuvwxyz')}{rng.getrandbits(40):010x}"
            if name not in seen:
                seen.add(name)
                yield name

    made = fresh()
    return lambda: next(made)
