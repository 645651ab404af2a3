"""The command `gatewright`: gathers the subcommands and turns errors into exit statuses."""

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from gatewright import __version__
from gatewright.cli import (
    bench,
    board,
    calibrate,
    doctor,
    explain,
    explore,
    generate,
    map,
    measure,
    operators,
    platforms,
    regress,
    report,
    reproduce,
    train,
    verify,
)
from gatewright.cli.common import DONE, INTERRUPTED, failure

app = typer.Typer(
    help="Co-design a neural network and the gates it runs on.",
    add_completion=False,
    rich_markup_mode=None,  # square brackets in help are TOML tables
    pretty_exceptions_enable=False,
)
COMMANDS = (
    bench,
    calibrate,
    doctor,
    explain,
    explore,
    generate,
    map,
    measure,
    operators,
    platforms,
    regress,
    report,
    reproduce,
    train,
    verify,
)
for command in COMMANDS:
    app.command()(getattr(command, command.__name__.rpartition(".")[2]))
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 found a failure, 2 bad input, 3 something missing, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a script or by hand, a run ends the same way
        status = app(args=arguments or ["--help"], prog_name="gatewright", standalone_mode=False)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except TyperException as error:
        return complain(usage(error), error.exit_code)
    except Exception as error:
        known = failure(error)
        if known is None:
            raise
        return complain(*known)
    if status == INTERRUPTED:
        return complain("Interrupted.", INTERRUPTED)
    return status or DONE


def usage(error: TyperException) -> str:
    """What was wrong with the arguments, and whose help to read: that of the command they were for."""
    context, text = getattr(error, "ctx", None), error.format_message().rstrip(". ")
    return f"{text}{'' if text.endswith('?') else '.'} See {context.command_path if context else 'gatewright'} --help."


def complain(text: str, status: int) -> int:
    """One paragraph on standard error."""
    print(f"gatewright: {' '.join(text.split())}", file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
