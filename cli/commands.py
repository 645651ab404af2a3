"""The subcommands of `gatewright` together, and their errors as exit statuses."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer
from typer.exceptions import TyperException

from gatewright import __version__
from gatewright.cli import board
from gatewright.cli.common import DONE, INTERRUPTED, failure
from gatewright.cli.main import complain

app = typer.Typer(
    help="Co-design a neural network and the gates it runs on.",
    add_completion=False,
    rich_markup_mode=None,  # square brackets in help are TOML tables
    pretty_exceptions_enable=False,
)
COMMANDS = (
    "bench",
    "calibrate",
    "doctor",
    "explain",
    "explore",
    "generate",
    "map",
    "measure",
    "operators",
    "platforms",
    "regress",
    "report",
    "reproduce",
    "train",
    "verify",
)
for name in COMMANDS:
    app.command()(getattr(import_module(f"gatewright.cli.{name}"), name))
app.add_typer(board.app, name="board")


def version(asked: bool) -> None:
    if asked:
        print(f"gatewright {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options of the command itself."""


def run(arguments: Sequence[str]) -> int:
    """Run one command; see `gatewright.cli.main.main`."""
    try:
        status = app(args=arguments or ["--help"], prog_name="gatewright", standalone_mode=False)
    except TyperException as error:
        return complain(usage(error), error.exit_code)
    except Exception as error:
        known = failure(error)
        if known is None:
            raise
        return complain(*known)
    return complain("Interrupted.", INTERRUPTED) if status == INTERRUPTED else status or DONE


def usage(error: TyperException) -> str:
    """What was wrong with the arguments, and whose help to read: that of the command they were for."""
    context, text = getattr(error, "ctx", None), error.format_message().rstrip(". ")
    return f"{text}{'' if text.endswith('?') else '.'} See {context.command_path if context else 'gatewright'} --help."
