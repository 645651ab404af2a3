"""FPGA boards: what Gatewright knows of each. Pins come from amaranth-boards, whose platform of a board `platform` names."""

from typing import Literal

from pydantic import Field, model_validator

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.hw.uart import DIVISOR_MIN

Family = Literal["ice40", "ecp5", "gowin", "xilinx"]

BLOCK_RAM_BITS = {"ice40": 4096, "ecp5": 18432, "gowin": 18432, "xilinx": 36864}  # of one block, parity bits included


class Resources(Noun):
    """What a design takes or a chip has, in the units of its family.

    `luts`: logic cells (iCE40: one with its flip-flop), four-input LUTs (ECP5, Gowin) or six-input LUTs (Xilinx). `large_rams`: single-port
    blocks of 256 kbit (iCE40 UltraPlus). `dsps`: 16 x 16 (iCE40), 18 x 18 (ECP5, Gowin) or 25 x 18 multipliers (Xilinx).
    """

    luts: int = Field(ge=0)
    flip_flops: int = Field(ge=0)
    block_rams: int = Field(ge=0)
    large_rams: int = Field(default=0, ge=0)
    dsps: int = Field(ge=0)

    def over(self, budget: "Resources") -> dict[str, tuple[int, int]]:
        """What is more than the budget has: name to (needed, available)."""
        pairs = {name: (getattr(self, name), getattr(budget, name)) for name in type(self).model_fields}
        return {name: pair for name, pair in pairs.items() if pair[0] > pair[1]}


class Board(Noun):
    """A board. `clock_hz` is its oscillator's; the design runs at that divided by `clock_divider`; `baud` is the serial port's bit rate.

    `options` are what the place and route tool of the family wants to know of the chip; none for boards whose vendor's tools do that.
    """

    name: str
    title: str
    family: Family
    platform: str
    options: tuple[str, ...] = ()
    clock_hz: int
    clock_divider: Literal[1, 2, 4] = 1
    baud: int = 1_000_000
    budget: Resources

    @model_validator(mode="after")
    def _check(self) -> "Board":
        if self.design_hz % self.baud or self.design_hz // self.baud < DIVISOR_MIN:
            raise ValueError(
                f"a bit must take a whole number of cycles, {DIVISOR_MIN} or more; got {self.design_hz} Hz for {self.baud} baud"
            )
        return self

    @property
    def design_hz(self) -> int:
        """The clock of the design."""
        return self.clock_hz // self.clock_divider

    @property
    def divisor(self) -> int:
        """Clock cycles of a bit on the serial port."""
        return self.design_hz // self.baud

    @property
    def routed(self) -> bool:
        """Whether place and route and a bitstream can be had here; else Verilog and constraints are for the vendor's tools."""
        return self.family != "xilinx"

    def single_port(self, memory_bits: int) -> bool:
        """Whether an external memory of `memory_bits` goes to the large single-port blocks: where the chip has them, above a quarter
        of its block RAM."""
        return self.budget.large_rams > 0 and 4 * memory_bits > self.budget.block_rams * BLOCK_RAM_BITS[self.family]

    @property
    def memory_words_max(self) -> int:
        """32-bit words of external memory that the chip's memories could hold, if nothing else used them."""
        block = (
            self.budget.block_rams * BLOCK_RAM_BITS[self.family] // 36 if self.family != "ice40" else self.budget.block_rams * 4096 // 32
        )
        return max(block, self.budget.large_rams * (1 << 18) // 32)


def _ulx3s(size: str, luts: int, block_rams: int, dsps: int) -> Board:
    return Board(
        name="ulx3s" if size == "85F" else f"ulx3s-{size.lower()}",
        title=f"ULX3S {size}",
        family="ecp5",
        platform=f"ulx3s:ULX3S_{size}_Platform",
        options=(f"--{size[:-1]}k", "--package", "CABGA381", "--speed", "6"),
        clock_hz=25_000_000,
        budget=Resources(luts=luts, flip_flops=luts, block_rams=block_rams, dsps=dsps),
    )


_ALL = (
    Board(
        name="icebreaker",
        title="iCEBreaker",
        family="ice40",
        platform="icebreaker:ICEBreakerPlatform",
        options=("--up5k", "--package", "sg48"),
        clock_hz=12_000_000,
        budget=Resources(luts=5280, flip_flops=5280, block_rams=30, large_rams=4, dsps=8),
    ),
    _ulx3s("85F", 83640, 208, 156),
    _ulx3s("45F", 43848, 108, 72),
    _ulx3s("12F", 24288, 56, 28),  # the chip sold as 12F holds all that a 25F has
    Board(
        name="colorlight",
        title="Colorlight 5A-75B R7.0",
        family="ecp5",
        platform="colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
        options=("--25k", "--package", "CABGA256", "--speed", "6"),
        clock_hz=25_000_000,
        budget=Resources(luts=24288, flip_flops=24288, block_rams=56, dsps=28),
    ),
    Board(
        name="tangnano9k",
        title="Sipeed Tang Nano 9K",
        family="gowin",
        platform="tang_nano_9k:TangNano9kPlatform",
        options=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
        clock_hz=27_000_000,
        budget=Resources(luts=8640, flip_flops=6480, block_rams=26, dsps=20),
    ),
    Board(
        name="arty",
        title="Digilent Arty A7-35T",
        family="xilinx",
        platform="arty_a7:ArtyA7_35Platform",
        clock_hz=100_000_000,
        clock_divider=4,
        budget=Resources(luts=20800, flip_flops=41600, block_rams=50, dsps=90),
    ),
)
BOARDS = {board.name: board for board in _ALL}


def board_named(name: str) -> Board:
    """Raises BadInput for a name that is no board's."""
    if name not in BOARDS:
        raise BadInput(f"There is no board named {name!r}; there are {', '.join(BOARDS)}.")
    return BOARDS[name]
