"""A cell library as C++: one loop for every different Boolean function, and which loops each cell needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewright.sim.boolean import Expression, expression
from gatewright.sim.cells import Cell, Library, State


@dataclass(frozen=True)
class Kernel:
    """Loop number `number` over cells with these pins; a flip-flop's state counts as a pin."""

    number: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """A combinational cell."""

    kernel: Kernel


@dataclass(frozen=True)
class FlipFlop:
    """A cell on the rising edge of `clock`: `present` puts `state` on the outputs, `advance` computes the next one.

    Pins in `idle` (asynchronous clear and preset) must be tied to these constants.
    """

    present: Kernel
    advance: Kernel
    clock: str
    state: str
    idle: Mapping[str, int]


@dataclass
class Kernels:
    """What every cell of a library needs. Cells that are not listed cannot be simulated: fillers, latches, tristate, falling edges."""

    cells: dict[str, Gate | FlipFlop] = field(default_factory=dict)
    bodies: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, cell: Cell) -> None:
        functions = {pin.name: pin.expression for pin in cell.outputs if pin.expression is not None}
        if not functions or len(functions) != len(cell.outputs) or cell.latch:
            return
        if cell.ff is None:
            self.cells[cell.name] = Gate(self.kernel(functions))
        elif (clock := expression(cell.ff.clocked_on or "0")).kind == "name" and cell.ff.next_state:
            state, *inverse = cell.ff.names
            present = {name: _inverse_as_not(function, state, inverse) for name, function in functions.items()}
            advance = {state: _inverse_as_not(expression(cell.ff.next_state), state, inverse)}
            self.cells[cell.name] = FlipFlop(self.kernel(present), self.kernel(advance), clock.value, state, _idle(cell.ff))

    def kernel(self, functions: Mapping[str, Expression]) -> Kernel:
        """The loop that computes these outputs; equal functions in equal order share one."""
        inputs = tuple(dict.fromkeys(name for function in functions.values() for name in function.names))
        operands = {name: f"i{i}" for i, name in enumerate(inputs)}
        texts = (f.c(operands) if f.names else f"splat{f.c({})}" for f in functions.values())
        body = (str(len(inputs)), *texts)
        return Kernel(self.bodies.setdefault(body, len(self.bodies)), inputs, tuple(functions))

    def code(self) -> str:
        """The C++ function `evaluate` that gates.hpp declares, and the cells one by one for timed.hpp."""
        lines = ["static void evaluate(word *v, const int32_t *x, int32_t kernel, int32_t count) {", "    switch (kernel) {"]
        singles, table = [], []
        for (inputs, *texts), number in self.bodies.items():
            pins = range(int(inputs))
            results = [f"const word o{i} = {text};" for i, text in enumerate(texts)]
            loads = [f"const word i{i} = v[x[{i}]];" for i in pins]
            stores = [f"v[x[{len(pins) + i}]] = o{i};" for i in range(len(texts))]
            step = len(pins) + len(texts)
            lines.append(f"    case {number}: for (; count; --count, x += {step}) {{ {' '.join(loads + results + stores)} }} break;")
            loads = [f"const word i{i} = in[{i}];" for i in pins]
            stores = [f"out[{i}] = o{i};" for i in range(len(texts))]
            unused = [] if pins else ["(void)in;"]
            singles.append(f"static void kernel{number}(const word *in, word *out) {{ {' '.join(unused + loads + results + stores)} }}")
            table.append(f"{{{len(pins)}, {len(texts)}, kernel{number}}}")
        lookup = (
            f"static const Kernel &kernel(int32_t number) {{ static const Kernel all[] = {{{', '.join(table)}}}; return all[number]; }}"
        )
        return "\n".join([*lines, "    }", "}", *singles, lookup])


def kernels(library: Library) -> Kernels:
    """The kernels of all cells of a library."""
    result = Kernels()
    for cell in library.cells.values():
        result.add(cell)
    return result


def _inverse_as_not(function: Expression, state: str, inverse: list[str]) -> Expression:
    """Liberty names a state and its inverse (IQ, IQN); the simulator keeps the state alone."""
    if function.kind == "name" and function.value in inverse:
        return Expression("not", terms=(Expression("name", state),))
    return Expression(function.kind, function.value, tuple(_inverse_as_not(term, state, inverse) for term in function.terms))


def _idle(state: State) -> dict[str, int]:
    """Constants on the clear and preset pins that keep both at rest."""
    result: dict[str, int] = {}
    for text in (state.clear, state.preset):
        for bit in (0, 1):
            if text and not expression(text).evaluate(dict.fromkeys(expression(text).names, bit)):
                result |= dict.fromkeys(expression(text).names, bit)
                break
    return result
