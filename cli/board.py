"""`gatewright board`: accelerators on FPGA boards, real and simulated."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import DONE, FAILED, RUN_CONFIG, Json, Output, Quiet, Seed, read_toml, run_folder, winner
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

    from gatewright.boards.build import Built
    from gatewright.boards.host import Outcome
    from gatewright.hw.config import AcceleratorConfig
    from gatewright.sw.program import Program

app = typer.Typer(help="Build, flash, run and simulate accelerators on FPGA boards.", invoke_without_command=True)

Source = Annotated[Path, typer.Argument(help="A run folder, or a TOML file with an [accelerator] table.", metavar="CONFIG|RUN")]
RunName = Annotated[Path, typer.Argument(help="A run folder, or its name under runs/.", metavar="RUN")]
BoardName = Annotated[str, typer.Option("--board", help="A board of `gatewright board list`.")]
Folder = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; by default boards/NAME.", metavar="DIR")]
Words = Annotated[int | None, typer.Option("--memory-words", min=1, help="External memory; by default what the program needs.")]
Images = Annotated[int, typer.Option("--images", min=1, help="How many test images.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.01, help="Seconds after which a request is sent again.")]

HEADINGS = {"luts": "LUTs", "flip_flops": "flip-flops", "block_rams": "block RAMs", "large_rams": "large RAMs", "dsps": "DSPs"}


@app.callback()
def options(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def show(as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Every board: its chip's family, clock, what it has, and the external memory it can offer."""
    from gatewright.boards.board import BOARDS

    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(("board", "name", "family", "clock MHz", *HEADINGS.values(), "memory KiB", "bitstream")):
        table.add_column(heading, justify="right" if 2 < i < 10 else "left")
    for board in BOARDS.values():
        counts = (f"{getattr(board.budget, name):,}" for name in HEADINGS)
        memory = f"{board.memory_words_max * 4 // 1024:,}"
        made = "here" if board.routed else "by the vendor's tools"
        table.add_row(board.title, board.name, board.family, f"{board.design_hz / 1e6:g}", *counts, memory, made)
    records = [board.model_dump() | {"memory_words": board.memory_words_max} for board in BOARDS.values()]
    Output(as_json, quiet).emit({"boards": records}, table)


@app.command()
def build(
    source: Source, board: BoardName, out: Folder = None, words: Words = None, as_json: Json = False, seed: Seed = 0, quiet: Quiet = False
) -> None:
    """Synthesise, place and route an accelerator and write its bitstream."""
    from gatewright.boards.board import board_named
    from gatewright.boards.build import build as make

    output, chosen = Output(as_json, quiet), board_named(board)
    config, program = accelerator(source)
    output.note(f"Building for {chosen.title}; place and route takes minutes")
    built = make(chosen, config, memory_words(program, words), out or Path("boards") / source.stem / chosen.name)
    output.emit(record(built), table(built))
    raise typer.Exit(DONE if built.passed else FAILED)


@app.command()
def largest(
    source: Source,
    board: BoardName,
    out: Folder = None,
    words: Words = None,
    bits: Annotated[int | None, typer.Option("--operand-bits", help="32 or 64; by default both are tried.")] = None,
    route: Annotated[bool, typer.Option("--route/--no-route", help="Prove it by place and route, or by synthesis alone.")] = True,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Find the largest grid of an accelerator's operators and buffers that a board holds, and build it."""
    from gatewright.boards.board import board_named
    from gatewright.boards.build import Built
    from gatewright.boards.largest import largest as find

    output, chosen = Output(as_json, quiet), board_named(board)
    config, program = accelerator(source)
    folder = out or Path("boards") / source.stem / chosen.name
    variants = [config.replace(operand_bits=each) for each in ((32, 64) if bits is None else (bits,))]
    found = find(chosen, variants, memory_words(program, words), folder, route and chosen.routed, output.note)
    if isinstance(found, Built):
        output.emit(record(found) | {"rows": found.config.rows, "cols": found.config.cols}, table(found))
    else:
        size, needed = found
        text = f"{size.rows} x {size.cols} elements of {size.operand_bits} bits, by synthesis alone: " + ", ".join(
            f"{getattr(needed, name):,} {heading}" for name, heading in HEADINGS.items()
        )
        output.emit(
            {"board": board, "rows": size.rows, "cols": size.cols, "resources": needed, "accelerator": size, "fmax_mhz": None}, text
        )


@app.command()
def flash(
    bitstream: Annotated[Path, typer.Argument(help="What `board build` wrote.")],
    board: BoardName,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Load a bitstream into a board with openFPGALoader."""
    from gatewright.boards.board import board_named
    from gatewright.boards.flash import flash as load

    chosen = board_named(board)
    load(chosen, bitstream)
    Output(as_json, quiet).emit({"board": board, "bitstream": bitstream}, f"{bitstream} is in {chosen.title}")


@app.command()
def run(
    run: RunName,
    port: Annotated[str | None, typer.Option("--port", help="The board's serial port, such as /dev/ttyUSB1.")] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="On a simulated board instead.")] = False,
    board: BoardName = "icebreaker",
    images: Images = 100,
    timeout: Timeout = 0.5,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Classify test images on a board and compare every logit with the golden model."""
    from gatewright.boards import simulated
    from gatewright.boards.board import board_named

    output, chosen = Output(as_json, quiet), board_named(board)
    if simulate == (port is not None):
        raise BadInput("Give --port with a board's serial port, or --simulate; one of the two.")
    folder = run_folder(run)
    program, (codes, labels) = winner(folder), test_images(folder, images)
    if port is not None:
        outcome = classify(port, chosen.baud, program, codes, chosen.design_hz, timeout, output)
    else:
        words = program.schedule.memory_words
        output.note("Compiling the simulated board")
        simulator = simulated.build(program.config, words, chosen.single_port(words * program.config.operand_bits))
        with simulated.simulated(simulator) as there:
            outcome = classify(there.port, chosen.baud, program, codes, simulated.CLOCK_HZ, max(timeout, 2.0), output)
    correct = int((outcome.classes == labels).sum())
    keys = {"board": board, "simulated": simulate, "images": outcome.images, "correct": correct}
    keys |= {"mismatches": outcome.mismatches, "cycles": list(outcome.cycles), "retries": outcome.retries}
    keys |= {"cycles_predicted": outcome.cycles_predicted, "sessions": outcome.sessions, "seconds": round(outcome.seconds, 2)}
    cycles = ", ".join(f"{n:,}" for n in outcome.cycles)
    unchecked = "whether the design fits it was not checked: gatewright board build does"
    where = f"simulated {chosen.title} ({unchecked})" if simulate else f"{chosen.title} at {port}"
    text = (
        f"{where}\n{outcome.images} images, {correct} classified rightly (accuracy {correct / outcome.images:.1%}); "
        f"{outcome.mismatches} mismatches with the golden model, {outcome.retries} retries\n"
        f"Cycles a run: {cycles}, predicted {outcome.cycles_predicted:,}; {outcome.seconds:.1f} s"
    )
    output.emit(keys, text)
    raise typer.Exit(DONE if outcome.passed else FAILED)


@app.command()
def simulate(run: RunName, board: BoardName = "icebreaker", as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Run a board in simulation behind a pseudo-terminal until interrupted; prints the terminal's name, for `board run --port`."""
    from gatewright.boards import simulated
    from gatewright.boards.board import board_named

    output, chosen, program = Output(as_json, quiet), board_named(board), winner(run_folder(run))
    words = program.schedule.memory_words
    output.note("Compiling the simulated board")
    with simulated.simulated(simulated.build(program.config, words, chosen.single_port(words * program.config.operand_bits))) as there:
        output.emit({"port": there.port, "board": board}, there.port)
        output.note(f"gatewright board run {run} --port {there.port} --timeout 2; stop the board with Ctrl-C")
        there.process.wait()
    raise typer.Exit(FAILED)  # a board does not end by itself


def accelerator(source: Path) -> "tuple[AcceleratorConfig, Program | None]":
    """The accelerator a user named, and its program if it is a run's."""
    from gatewright.hw.names import accelerator_from

    if source.is_file() and source.name != RUN_CONFIG:
        return accelerator_from(read_toml(source), str(source)), None
    program = winner(run_folder(source.parent if source.is_file() else source))
    return program.config, program


def memory_words(program: "Program | None", words: int | None) -> int:
    """External memory: as asked for, but not less than the program needs."""
    from gatewright.boards.build import MEMORY_WORDS

    if program is None:
        return words or MEMORY_WORDS
    needed = program.schedule.memory_words
    if words is not None and words < needed:
        raise BadInput(f"--memory-words must be at least {needed}, which the run's program needs; got {words}.")
    return words or needed


def test_images(folder: Path, images: int) -> "tuple[np.ndarray, np.ndarray]":
    """Codes and labels of the first test images of a run's data set."""
    from gatewright.dse.config import Data
    from gatewright.sw.data import encode, load

    data = Data(**read_toml(folder / RUN_CONFIG).get("data", {}))
    dataset = load(data.dataset, data.folder, data.validation)
    test = dataset.test()
    if images > len(test):
        raise BadInput(f"--images must be at most {len(test)}, the test images of {dataset.name}; got {images}.")
    return encode(winner(folder).network.layers[0].layer.operator, test.images[:images], dataset.maximum), test.labels[:images]


def classify(port: str, baud: int, program: "Program", codes: "np.ndarray", clock_hz: float, timeout: float, output: Output) -> "Outcome":
    """Open the port and run the images behind it."""
    from gatewright.boards import host
    from gatewright.boards.link import Link
    from gatewright.boards.port import opened

    with opened(port, baud) as serial, output.progress() as bar:
        task = bar.add_task("Images", total=len(codes))
        link = Link(serial, program.config.operand_bits, timeout)
        return host.classify(link, program, codes, clock_hz, lambda n: bar.advance(task, n))


def record(built: "Built") -> dict[str, Any]:
    """A build as JSON."""
    return {
        "board": built.board.name,
        "accelerator": built.config,
        "memory_words": built.memory_words,
        "single_port": built.single_port,
        "resources": built.resources,
        "available": built.board.budget,
        "fmax_mhz": built.fmax_mhz,
        "wanted_mhz": built.wanted_mhz,
        "flip_flop_memories": list(built.flip_flop_memories),
        "soft_elements": built.soft_elements,
        "files": built.files,
        "bitstream": built.bitstream,
        "seconds": round(built.seconds, 1),
    }


def table(built: "Built") -> Group:
    """A build in a table, and what else is worth saying."""
    rows = Table(box=None, pad_edge=False)
    for i, heading in enumerate(("", "used", "available", "")):
        rows.add_column(heading, justify="right" if i else "left")
    for name, heading in HEADINGS.items():
        used, there = getattr(built.resources, name), getattr(built.board.budget, name)
        if there:
            rows.add_row(heading, f"{used:,}", f"{there:,}", f"{used / there:.0%}")
    lines = [f"{built.board.title}: {built.config.rows} x {built.config.cols} elements of {built.config.operand_bits} bits"]
    if built.fmax_mhz is None:
        lines.append("Counts are of synthesis; place and route, clock and bitstream are the vendor's tools' part.")
    else:
        lines.append(f"Clock: {built.fmax_mhz:.1f} MHz reached, {built.wanted_mhz:g} MHz wanted{'' if built.passed else ': MISSED'}")
    if built.flip_flop_memories:
        lines.append(f"Memories in flip-flops: {', '.join(built.flip_flop_memories)}")
    if built.soft_elements:
        lines.append(f"{built.soft_elements} elements multiply in logic, since the chip has no more multipliers")
    lines += [f"{path}  {path.stat().st_size:,} bytes" for path in built.files]
    return Group(rows, "", *lines, f"{built.seconds:.0f} s")
