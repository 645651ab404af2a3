"""The instruction set: one table gives the encoder and the decoding wires.

An instruction is a header word and fields packed into 32-bit words, none across a word's edge. Headers fill one memory word; the
fields follow, one or two 32-bit words to a memory word. Each header names the length of the next instruction, so one burst
fetches it. docs/hardware.md says what each does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from amaranth.hdl import Signal, Value

ADDRESS_BITS = 24  # of a word in external memory
COUNT_BITS = 12  # of a loop bound
LENGTH_BITS = 16  # of a load, in memory words
BUFFER_BITS = 16  # of an address in an on-chip buffer
BLOCK_LEVELS = 5  # loops outside the reduction; the last two walk a pooling window
REDUCTION = range(BLOCK_LEVELS, BLOCK_LEVELS + 3)  # loops of a sum: kernel rows, kernel columns, words of a pixel
LEVELS = REDUCTION.stop + 1  # and inside them the accumulators'; the stream's steps are counted apart


class Opcode(IntEnum):
    END = 0
    LOAD_WEIGHTS = 1
    LOAD_PARAMETERS = 2
    LOAD_WINDOWS = 3
    LOAD_ACTIVATIONS = 4
    COMPUTE = 5
    STORE = 6


class OutputMode(IntEnum):
    REQUANTISE = 0
    SIGN = 1
    RAW = 2


@dataclass(frozen=True)
class Layout:
    """Named fields and where they lie in the 32-bit words."""

    places: dict[str, tuple[int, int, int]]  # name: (word, lowest bit, bits)
    words: int

    @classmethod
    def pack(cls, fields: Iterable[tuple[str, int]]) -> "Layout":
        places, word, bit = {}, 0, 0
        for name, bits in fields:
            if bit + bits > 32:
                word, bit = word + 1, 0
            places[name] = (word, bit, bits)
            bit += bits
        return cls(places, word + 1)

    def encode(self, values: Mapping[str, int]) -> list[int]:
        """32-bit words. Every field must be given; negative values are two's complement. Lowering keeps values in range."""
        words = [0] * self.words
        if set(values) != set(self.places):
            raise KeyError(f"fields {sorted(set(values) ^ set(self.places))} are missing or unknown")
        for name, (word, bit, bits) in self.places.items():
            value = int(values[name])
            if not -(1 << (bits - 1)) <= value < (1 << bits):
                raise OverflowError(f"{name} = {value} does not fit {bits} bits")
            words[word] |= (value & ((1 << bits) - 1)) << bit
        return words

    def memory_words(self, operand_bits: int) -> int:
        """Length of the instruction in memory words, header included."""
        return 1 + -(-self.words * 32 // operand_bits)

    def decode(self, words: list[Signal]) -> dict[str, Value]:
        """The fields as slices of the instruction's registers."""
        return {name: words[word][bit : bit + bits] for name, (word, bit, bits) in self.places.items()}


HEADER = Layout.pack([("opcode", 3), ("next_words", 6), ("wait_store", 1), ("wait_compute", 1)])

LINEAR = Layout.pack(
    [
        ("address", ADDRESS_BITS),
        ("length", LENGTH_BITS),  # memory words in all
        ("base", BUFFER_BITS),  # first buffer address written
        ("last_bank", 6),  # columns (or rows, for windows) written at each address, minus one
    ]
)

ACTIVATIONS = Layout.pack(
    [
        ("address", ADDRESS_BITS),
        ("n_stride", ADDRESS_BITS),
        ("y_stride", ADDRESS_BITS),
        ("base", BUFFER_BITS),
        ("row_words", LENGTH_BITS),  # memory words of the image in one row
        ("last_n", 8),
        ("last_y", COUNT_BITS),
        ("top", COUNT_BITS),  # rows of padding above
        ("inside_y", COUNT_BITS),  # rows of image
        ("last_x", COUNT_BITS),
        ("left", COUNT_BITS),
        ("inside_x", COUNT_BITS),
        ("last_word", COUNT_BITS),  # words of a pixel, minus one
        ("window_y", COUNT_BITS),  # rows a bank keeps
        ("window_x", COUNT_BITS),
    ]
)

WINDOW = Layout.pack([("x", COUNT_BITS), ("y", COUNT_BITS), ("n", 8)])  # one 32-bit word: where a bank's window begins
WINDOW_UNUSED = 255  # an image number no load reaches

COMPUTE = Layout.pack(
    [
        ("operator", 4),
        ("mode", 2),
        ("container", 2),  # log2 of the bits of an output
        ("pool_average", 1),
        ("pool_shift", 3),
        ("accumulate", 1),  # go on from the accumulators as they are
        ("drain", 1),
        ("low", 9),
        ("high", 9),
        ("last_row", 6),  # rows drained, minus one
        ("last_step", COUNT_BITS),  # cycles of a stream, minus one
        *((f"last{i}", COUNT_BITS) for i in range(LEVELS)),
        ("activation_base", BUFFER_BITS),
        ("weight_base", BUFFER_BITS),
        *((f"activation_delta{i}", BUFFER_BITS) for i in range(LEVELS)),
        *((f"weight_delta{i}", BUFFER_BITS) for i in range(LEVELS)),
        ("output_base", BUFFER_BITS),
        ("parameter_base", BUFFER_BITS),
        *((f"output_delta{i}", BUFFER_BITS) for i in range(BLOCK_LEVELS)),
        *((f"parameter_delta{i}", BUFFER_BITS) for i in range(BLOCK_LEVELS)),
        ("output_stride_a", BUFFER_BITS),
        ("parameter_stride_a", BUFFER_BITS),
        ("output_stride_row", BUFFER_BITS),
    ]
)

STORE = Layout.pack(
    [
        ("address", ADDRESS_BITS),
        *((f"address_{loop}", ADDRESS_BITS) for loop in ("n", "tile_y", "tile_x", "y", "x")),
        ("base", BUFFER_BITS),
        *((f"buffer_{loop}", BUFFER_BITS) for loop in ("row", "y", "x")),
        *((f"last_{loop}", 6) for loop in ("n", "tile_y", "tile_x")),
        *((f"last_{loop}", COUNT_BITS) for loop in ("y", "x", "word")),
        ("end_y", COUNT_BITS),  # last valid output row of the tile, and the same for columns
        ("end_x", COUNT_BITS),
    ]
)

LAYOUTS = {
    Opcode.END: Layout({}, 0),
    Opcode.LOAD_WEIGHTS: LINEAR,
    Opcode.LOAD_PARAMETERS: LINEAR,
    Opcode.LOAD_WINDOWS: LINEAR,
    Opcode.LOAD_ACTIVATIONS: ACTIVATIONS,
    Opcode.COMPUTE: COMPUTE,
    Opcode.STORE: STORE,
}
