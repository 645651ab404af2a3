"""FPGA charts by place and route: processing elements of every operator, and whole accelerators, on the boards' chips."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TypeVar

from gatewright.boards.board import board_named
from gatewright.boards.build import MEMORY_WORDS, netlist
from gatewright.boards.place import place
from gatewright.boards.synthesis import synthesise
from gatewright.boards.top import CHIP_TOP
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.names import operator_named
from gatewright.sim import tools
from gatewright.sim.platforms import fpga
from gatewright.sim.platforms.chart import Axis, Chart, Cost, Provenance, Value

J = TypeVar("J")

BLOCKS = ("int8",)  # operators whose elements are also made with the chip's multipliers

_BOARD = Axis(name="board", title="icebreaker is an iCE40 UP5K, colorlight an ECP5 25F, ulx3s an ECP5 85F, speed grade 6")
_OPERATOR = Axis(name="operator", title="the arithmetic of a product, by its name in docs/operators.md")
_MULTIPLIERS = Axis(name="multipliers", title="made of logic, or the chip's blocks")


def elements(note: Callable[[str], None], workers: int = 1) -> Chart:
    """Elements with their edges, alone on a chip. Raises Missing where place and route is not installed, and DoesNotFit."""
    jobs = [
        (board, operator, multipliers, bits)
        for board, widths in fpga.WIDTHS.items()
        for operator in fpga.OPERATORS
        for multipliers in ("logic", *(("blocks",) if operator in BLOCKS else ()))
        for bits in widths
    ]

    def row(job: tuple[str, str, str, int]) -> tuple[Value, ...]:
        note("Placing and routing " + " ".join(map(str, job)))
        return (*job, *_element(*job))

    return Chart(
        platform="fpga",
        name="element",
        title="A processing element with its edges",
        axes=(
            _BOARD,
            _OPERATOR,
            _MULTIPLIERS,
            Axis(name="operand_bits", title="bits of an operand word: lanes times their width", interpolated=False),
        ),
        costs=(
            Cost(name="luts", title="LUTs, carry chains among them, before packing", origin="measured", rises_with=("operand_bits",)),
            Cost(name="flip_flops", title="flip-flops", origin="measured", rises_with=("operand_bits",)),
            Cost(name="dsps", title="multipliers of the chip", origin="measured", rises_with=("operand_bits",)),
            Cost(name="fmax_mhz", title="clock after routing, MHz", origin="measured"),
        ),
        rows=tuple(_all(row, jobs, workers)),
        provenance=_provenance(
            fpga.WIDTHS,
            "alone on the chip between a shift register and output registers, which are taken off; seed 1",
        ),
    )


def _element(name: str, operator: str, multipliers: str, bits: int) -> tuple[Value, ...]:
    board = board_named(name)
    verilog, added = fpga.bench(fpga.element(operator_named(operator), bits), CHIP_TOP)
    poor = board.replace(budget=board.budget.replace(dsps=0))
    mapped = synthesise(poor if multipliers == "logic" else board, verilog, single_port=False)
    found = mapped.resources
    return found.luts, found.flip_flops - added, found.dsps, place(board, mapped).fmax_mhz


def accelerators(note: Callable[[str], None], workers: int = 1) -> Chart:
    """Whole chips, as `gatewright board build` makes them, without a program. Raises as `elements` does."""

    def row(job: tuple[str, AcceleratorConfig]) -> tuple[Value, ...]:
        name, config = job
        board, operator = board_named(name), config.operators[0].name
        note(f"Placing and routing {config.rows} x {config.cols} elements of {operator} on {name}")
        placed = place(board, netlist(board, config, MEMORY_WORDS))
        used = placed.resources
        shape = (name, operator, config.rows, config.cols)
        return (*shape, used.luts, used.flip_flops, used.block_rams, used.dsps, placed.fmax_mhz)

    size = ("rows", "cols")
    return Chart(
        platform="fpga",
        name="accelerator",
        title="A whole chip: serial port, accelerator, external memory",
        axes=(
            _BOARD,
            _OPERATOR,
            Axis(name="rows", title="rows of the grid", interpolated=False),
            Axis(name="cols", title="columns of the grid", interpolated=False),
        ),
        costs=(
            Cost(name="luts", title="LUTs (ECP5) or logic cells (iCE40) after packing", origin="measured", rises_with=size),
            Cost(name="flip_flops", title="flip-flops", origin="measured", rises_with=size),
            Cost(name="block_rams", title="block RAMs", origin="measured", rises_with=size),
            Cost(name="dsps", title="multipliers of the chip", origin="measured", rises_with=size),
            Cost(name="fmax_mhz", title="clock after routing, MHz", origin="measured"),
        ),
        rows=tuple(_all(row, list(fpga.grids()), workers)),
        provenance=_provenance(
            fpga.PLANS, f"synthesised, placed and routed as by gatewright board build, {MEMORY_WORDS} words of external memory, seed 1"
        ),
    )


def _all(row: Callable[[J], tuple[Value, ...]], jobs: Sequence[J], workers: int) -> list[tuple[Value, ...]]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(row, jobs))


def _provenance(boards: Iterable[str], method: str) -> Provenance:
    routers = {board_named(name).family: f"yowasp-nextpnr-{board_named(name).family}" for name in boards}
    return Provenance(
        device="; ".join(f"{name}: {board_named(name).title}" for name in boards),
        method=method,
        command="gatewright platforms --measure fpga",
        date=date.today().isoformat(),
        tools=tools.versions("pyosys", "amaranth", *routers.values()),
    )
