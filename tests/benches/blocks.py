"""The plan: each block with the parameters its bench and its mutants are built with. Both pytest and cocotb's side import it."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from amaranth.lib.wiring import Component

from gatewright.hw.channel import Channel
from gatewright.hw.config import (
    AcceleratorConfig,
    Operator,
    binary_weight,
    integer,
    multiplication_free,
    shift,
    stochastic,
    xnor,
)
from gatewright.hw.drain import Drain
from gatewright.hw.edge import Edge
from gatewright.hw.element import Element
from gatewright.hw.fetch import Fetch
from gatewright.hw.frames import FrameReceiver, FrameSender
from gatewright.hw.grid import Grid
from gatewright.hw.instructions import ACTIVATIONS, STORE
from gatewright.hw.link import Link
from gatewright.hw.loader import ImageLoader, LinearLoader, Window
from gatewright.hw.loop_nest import LoopNest
from gatewright.hw.memory import Memory
from gatewright.hw.operators import circuit
from gatewright.hw.operators.stochastic import Encoder
from gatewright.hw.post import Post
from gatewright.hw.registers import InstructionRegisters
from gatewright.hw.sequencer import Sequencer
from gatewright.hw.stochastic.numbers import Side
from gatewright.hw.stochastic.sources import NumberSource
from gatewright.hw.store import Store
from gatewright.hw.system import System
from gatewright.hw.uart import UartReceiver, UartTransmitter
from tests.benches.designs import CONFIGS

TOP = "block"


@dataclass(frozen=True)
class Block:
    """A component, the name of its bench in this folder, and how many mutants `make mutation` tries.

    `threshold` is the least share of them that must be killed or proven equivalent. `variant`: a bench that other parameters passed
    already, or of a block that other tests look at alone, for `make thorough`. `design` is of `designs.py`, for whole systems.
    """

    build: Callable[[], Component]
    bench: str
    mutants: int = 8
    threshold: float = 1.0
    variant: bool = False
    design: str = ""

    @property
    def module(self) -> str:
        return f"tests.benches.{self.bench}_bench"

    def environment(self, name: str) -> dict[str, str]:
        """By which the bench learns what it drives."""
        return {"BENCH_DESIGN": self.design} if self.design else {"BENCH_BLOCK": name}


def _config(**fields: object) -> AcceleratorConfig:
    small = {"rows": 3, "cols": 2, "operand_bits": 32, "operators": (integer(8),), "accumulator_depth": 6}
    sizes = {"activation_words": 64, "weight_words": 64, "output_words": 32, "parameter_words": 16}
    return AcceleratorConfig(**small | sizes | fields)


SPLIT = (integer(8), integer(4, signed=True), binary_weight(4), xnor())
STREAMS = (integer(4), xnor(), stochastic(16, bits=4), stochastic(16, "bipolar", "lfsr", bits=4))


def _sequencer(stages: int, operators: tuple[Operator, ...]) -> Sequencer:
    return Sequencer(_config(operators=operators, pipeline_stages=stages))


def _grid(**fields: object) -> Grid:
    return Grid(_config(rows=2, accumulator_depth=4, **fields), 4)


def _encoder(side: Side, **fields: object) -> Encoder:
    return Encoder(stochastic(64, bits=4).replace(**fields), 64, side)


def _lanes(operator: Operator) -> Component:
    return circuit(operator).Lanes(operator, 32)


BLOCKS = {
    "memory": Block(lambda: Memory(5, 12, 3), "memory"),
    "registers 32": Block(lambda: InstructionRegisters(ACTIVATIONS, 32), "registers"),
    "registers 64": Block(lambda: InstructionRegisters(STORE, 64), "registers", variant=True),
    "loop_nest": Block(lambda: LoopNest(4, 5), "loop_nest"),
    "fetch": Block(lambda: Fetch(_config()), "fetch"),
    "linear": Block(lambda: LinearLoader(_config()), "linear"),
    "window": Block(lambda: Window(6), "window"),
    "image": Block(lambda: ImageLoader(_config(operand_bits=64)), "image", mutants=14),
    "channel": Block(lambda: Channel(_config(accumulator_bits=16)), "channel"),
    "channel, no pooling": Block(lambda: Channel(_config(accumulator_bits=12, pooling=False)), "channel", variant=True),
    "post": Block(lambda: Post(_config(), 8), "post"),
    "post, no pooling": Block(lambda: Post(_config(pooling=False), 8), "post", variant=True),
    "drain": Block(lambda: Drain(_config()), "drain"),
    "element, no register": Block(lambda: Element(_config(operators=(integer(4), xnor()), pipeline_stages=0)), "element", variant=True),
    "element": Block(lambda: Element(_config(operators=(integer(8), xnor()))), "element"),
    "element that splits": Block(lambda: Element(_config(operators=SPLIT, pipeline_stages=2, split=True)), "element"),
    "activation edge": Block(lambda: Edge(_config(operators=STREAMS), "activation"), "edge", variant=True),
    "weight edge": Block(lambda: Edge(_config(operators=STREAMS), "weight"), "edge"),
    "weight edge that splits": Block(lambda: Edge(_config(operators=SPLIT, split=True), "weight"), "edge", variant=True),
    "sobol source": Block(lambda: NumberSource("sobol", 8, "weight", 8, 32), "source"),
    "lfsr source": Block(lambda: NumberSource("lfsr", 5, "activation", 4, 16), "source"),
    "encoder": Block(
        lambda: _encoder("weight", coding="bipolar", activation_signed=True, source="lfsr", sharing=2), "encoder", variant=True
    ),
    "encoder, one lane selected": Block(lambda: _encoder("weight", sharing=1, adder="mux"), "encoder", variant=True),
    "shift lanes": Block(lambda: _lanes(shift()), "lanes", variant=True),
    "multiplication_free lanes": Block(lambda: _lanes(multiplication_free("mfnet", 4, signed=True)), "lanes", variant=True),
    "grid": Block(lambda: _grid(operators=STREAMS), "grid"),
    "grid that splits": Block(lambda: _grid(operators=SPLIT, pipeline_stages=2, split=True), "grid", variant=True),
    "sequencer, no register": Block(lambda: _sequencer(0, (integer(8),)), "sequencer", variant=True),
    "sequencer": Block(lambda: _sequencer(2, STREAMS), "sequencer"),
    "store": Block(lambda: Store(_config(cols=8)), "store"),
    "uart receiver": Block(lambda: UartReceiver(6), "uart_receiver", variant=True),
    "uart transmitter": Block(lambda: UartTransmitter(5), "uart_transmitter", variant=True),
    "frame receiver": Block(lambda: FrameReceiver(4), "frame_receiver"),
    "frame sender": Block(lambda: FrameSender(4), "frame_sender"),
    "link": Block(lambda: Link(32, 4321, 0x0123_4567_89AB_7E7D), "link", variant=True),
    # Too large for the prover: a mutant that survives must be one from which no output can be reached.
    "system": Block(lambda: System(CONFIGS["64 bits"]), "system", mutants=12, threshold=0.9, design="64 bits"),
}


def current() -> Component:
    """The block that the bench in this process drives, for its parameters."""
    return BLOCKS[os.environ["BENCH_BLOCK"]].build()
