"""The command `gatewright`. Hardly anything is imported here, so that it can be interrupted in peace from the first moment on."""

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 found a failure, 2 bad input, 3 something missing, 130 interrupted."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a script or by hand, a run ends the same way
        from gatewright.cli.commands import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return complain("Interrupted.", 130)


def complain(text: str, status: int) -> int:
    """One paragraph on standard error, and nothing of Amaranth's about circuits that were being made."""
    if amaranth := sys.modules.get("amaranth._unused"):
        amaranth.MustUse._MustUse__silence = True  # as Amaranth itself does after an error that nobody catches
    print(f"gatewright: {' '.join(text.split())}", file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
