"""Serial ports, by pyserial."""

from collections.abc import Iterator
from contextlib import contextmanager

import serial

from gatewright.boards.link import Port
from gatewright.hw.errors import Missing

READ_SECONDS = 0.02  # how long a read waits for a byte


@contextmanager
def opened(name: str, baud: int) -> Iterator[Port]:
    """The port `name`, emptied of what lies in it. Raises Missing where it is not there or may not be used."""
    try:
        port = serial.Serial(name, baud, timeout=READ_SECONDS, write_timeout=5.0, exclusive=True)
    except (OSError, ValueError) as error:
        raise Missing(
            f"The serial port {name} cannot be opened ({error}). Plug the board in and name its port, such as /dev/ttyUSB1; the user must "
            "be in the group that owns it."
        ) from None
    with port:
        port.reset_input_buffer()
        yield port
