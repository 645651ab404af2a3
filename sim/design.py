"""`Design`: anything that can be measured, as Verilog with a top module and its ports."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from amaranth.hdl import Elaboratable, Shape, Value
from amaranth.lib.wiring import Component

from gatewright.hw.errors import BadInput
from gatewright.hw.verilog import emit
from gatewright.sim import cache, tools, yosys

CLOCK, RESET = "clk", "rst"


@dataclass(frozen=True)
class Port:
    """A port of `width` bits; signed ones are two's complement."""

    name: str
    is_input: bool
    width: int
    signed: bool = False


@dataclass(frozen=True, eq=False)
class Design:
    """Verilog text, its top module and that module's ports. One clock, `clk`, rising edge; `rst` is synchronous and active high."""

    verilog: str
    top: str
    ports: Mapping[str, Port] = field(repr=False)

    @classmethod
    def of(cls, source: "Source", *, top: str | None = None, ports: Sequence[Value] | None = None) -> "Design":
        """A component, an elaboratable with its `ports` (signals), Verilog text (its top found, or named by `top`), or a design as it is.

        Raises BadInput for anything else, and for Verilog that Yosys refuses.
        """
        if isinstance(source, Design):
            return source
        if isinstance(source, str):
            found, shapes = _ports(source, top)
            return cls(source, found, shapes)
        if not isinstance(source, Elaboratable):
            raise BadInput(f"A design is an Amaranth component, an elaboratable with its ports, or Verilog text; got {source!r}.")
        if ports is None and not isinstance(source, Component):
            raise BadInput(
                f"{type(source).__name__} is not a wiring.Component, so its ports are not known. Name them: ports=[design.a, design.sum]."
            )
        name = top or type(source).__name__
        signed = _signed(source) if ports is None else {value.name: value.shape().signed for value in map(_signal, ports)}
        verilog = emit(source, name, ports)
        _, shapes = _ports(verilog, name)
        return cls(verilog, name, {p.name: Port(p.name, p.is_input, p.width, signed.get(p.name, False)) for p in shapes.values()})

    @property
    def inputs(self) -> dict[str, Port]:
        """Input ports but the clock and the reset."""
        return {name: port for name, port in self.ports.items() if port.is_input and name not in (CLOCK, RESET)}

    @property
    def outputs(self) -> dict[str, Port]:
        return {name: port for name, port in self.ports.items() if not port.is_input}


Source: TypeAlias = Design | Elaboratable | str


def _signal(value: Value) -> Any:
    if not hasattr(value, "name"):
        raise BadInput(f"Ports are signals; got {value!r}.")
    return value


def _signed(component: Component) -> dict[str, bool]:
    """Which ports of a component are signed: Amaranth's Verilog does not say."""
    members = component.signature.flatten(component)
    return {"__".join(map(str, path)): Shape.cast(member.shape).signed for path, member, _ in members}


def _ports(verilog: str, top: str | None) -> tuple[str, dict[str, Port]]:
    """The top module's name and its ports, as Yosys sees them."""
    commands = [
        "read_verilog -sv design.v",
        f"hierarchy -check {f'-top {top}' if top else '-auto-top'}",
        "proc",
        "write_json design.json",
    ]
    key = cache.key(verilog=cache.digest(verilog.encode()), commands=commands, tools=tools.versions("pyosys"))

    def run() -> Any:
        modules = json.loads(
            yosys.run(commands, {"design.v": verilog}, ["design.json"], f"Verilog of {top or 'the design'}")["design.json"]
        )
        return {name: module["ports"] for name, module in modules["modules"].items() if "top" in module["attributes"]}

    (name, found), *_ = cache.value("ports", key, run).items() or [("", {})]
    if not found:
        raise BadInput("The Verilog has no top module with ports.")
    if both := sorted(port for port, facts in found.items() if facts["direction"] == "inout"):
        raise BadInput(f"{name}: {', '.join(both)} must be an input or an output; ports in both directions are not supported.")
    ports = {
        port: Port(port, facts["direction"] == "input", len(facts["bits"]), bool(facts.get("signed"))) for port, facts in found.items()
    }
    return name, ports
