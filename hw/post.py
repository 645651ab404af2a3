"""Post-processing: bias, requantisation or sign, pooling, and packing into the output buffer's rows; all columns at once."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import MULTIPLIER_BITS, AcceleratorConfig
from gatewright.hw.instructions import COMPUTE, OutputMode

LATENCY = 4  # cycles from a drain beat to the write into the output buffer
SHIFT_BITS = 5
SCALE_BITS = MULTIPLIER_BITS + SHIFT_BITS
RESULT_BITS = 9  # a result before packing, signed: -128..255
POOL_BITS = RESULT_BITS + 6  # the sum of up to 64 results
FIELDS = ("mode", "container", "pool_average", "pool_shift", "low", "high")


class Post(wiring.Component):
    """Takes the drained row in its beat; five registers deep, one row a cycle, never stalls.

    1 v = accumulator + bias; 2 v * multiplier; 3 shift, round, clamp (or sign, or a byte of v); 4 pool, pack, write.
    """

    def __init__(self, config: AcceleratorConfig, address_bits: int) -> None:
        self.config = config
        self.groups = config.output_bits // config.cols
        self.address_bits = address_bits
        super().__init__(
            {f"field_{name}": In(COMPUTE.places[name][2]) for name in FIELDS}
            | {
                "beat": In(1),
                "plane": In(2),
                "row_index": In(max(1, (config.rows - 1).bit_length())),
                "pool_first": In(1),
                "pool_last": In(1),
                "address": In(address_bits),
                "accumulators": In(signed(config.accumulator_bits)).array(config.cols),
                "bias": In(config.accumulator_bits * config.cols),
                "scale": In(SCALE_BITS * config.cols),
                "busy": Out(1),
                "write_enable": Out(self.groups),
                "write_address": Out(address_bits - (self.groups - 1).bit_length()),
                "write_data": Out(config.output_bits),
            }
        )

    def __getitem__(self, name: str) -> Signal:
        field: Signal = getattr(self, f"field_{name}")
        return field

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = [self.beat, *(Signal(name=f"beat{i}") for i in range(1, LATENCY + 1))]
        travelling = Cat(self.address, self.plane, self.row_index, self.pool_first, self.pool_last)
        along = [travelling, *(Signal(len(travelling), name=f"along{i}") for i in range(1, LATENCY + 1))]
        for before, after in pairwise(beat):
            m.d.sync += after.eq(before)
        for i, (before, after) in enumerate(pairwise(along)):
            with m.If(beat[i]):
                m.d.sync += after.eq(before)
        m.d.comb += self.busy.eq(Cat(beat[1:]).any())
        split = len(self.address) + 2
        results = [self._channel(m, c, beat, along[3][len(self.address) : split]) for c in range(self.config.cols)]
        last = along[4]
        row, first, final = last[split : split + len(self.row_index)], last[-2], last[-1]
        pooled = self._pool(m, results, row, first, final, beat[4]) if self.config.pooling else results
        self._write(m, pooled, last[: len(self.address)], beat[4] & (final if self.config.pooling else 1))
        return m

    def _channel(self, m: Module, c: int, beat: list[Signal], plane: Value) -> Signal:
        """One column's arithmetic up to the clamped result."""
        bits = self.config.accumulator_bits
        taken, v = Signal(signed(bits), name=f"taken{c}"), Signal(signed(bits), name=f"v{c}")
        product, v_held = Signal(signed(bits + MULTIPLIER_BITS), name=f"product{c}"), Signal(signed(bits), name=f"v_held{c}")
        multiplier, shift1, shift2 = Signal(MULTIPLIER_BITS), Signal(SHIFT_BITS), Signal(SHIFT_BITS)
        result = Signal(signed(RESULT_BITS), name=f"result{c}")
        scale = self.scale.word_select(c, SCALE_BITS)
        with m.If(beat[0]):
            m.d.sync += taken.eq(self.accumulators[c])
        with m.If(beat[1]):
            m.d.sync += [
                v.eq(taken + self.bias.word_select(c, bits).as_signed()),
                multiplier.eq(scale[:MULTIPLIER_BITS]),
                shift1.eq(scale[MULTIPLIER_BITS:]),
            ]
        with m.If(beat[2]):
            m.d.sync += [product.eq(v * multiplier), v_held.eq(v), shift2.eq(shift1)]
        rounded = ((product >> (shift2 - 1)[:SHIFT_BITS]) + 1) >> 1  # equals (product + 2**(shift - 1)) >> shift
        low, high = self["low"].as_signed(), self["high"].as_signed()
        with m.If(beat[3]):
            with m.Switch(self["mode"]):
                with m.Case(OutputMode.SIGN):
                    m.d.sync += result.eq(Cat((v_held >= 0) & shift2.any()))  # a column beyond the channels has shift 0
                with m.Case(OutputMode.RAW):
                    wide = Signal(signed(32), name=f"wide{c}")
                    m.d.comb += wide.eq(v_held)
                    m.d.sync += result.eq(wide.as_unsigned().word_select(plane, 8))
                with m.Default():
                    m.d.sync += result.eq(Mux(rounded < low, low, Mux(rounded > high, high, rounded)))
        return result

    def _pool(self, m: Module, results: list[Signal], row: Value, first: Value, final: Value, beat: Value) -> list[Value]:
        """Running greatest value or sum of each row's and column's window, held until its last sample."""
        cols = self.config.cols
        states = Array(Signal(POOL_BITS * cols, name=f"pool{r}") for r in range(self.config.rows))
        state, pooled, updated = Signal(POOL_BITS * cols), [], []
        m.d.comb += state.eq(states[row])
        rounding = (1 << self["pool_shift"]) >> 1
        for c, result in enumerate(results):
            old = state.word_select(c, POOL_BITS).as_signed()
            new = Signal(signed(POOL_BITS), name=f"new{c}")
            sample = Mux(self["pool_average"], old + result, Mux(old > result, old, result))
            m.d.comb += new.eq(Mux(first, result, sample))
            updated.append(new)
            pooled.append(Mux(self["pool_average"], (new + rounding) >> self["pool_shift"], new))
        with m.If(beat & ~final):
            m.d.sync += states[row].eq(Cat(updated))
        return pooled

    def _write(self, m: Module, results: list[Value], address: Value, write: Value) -> None:
        """Pack the results into their groups of an output row; the first write of a row clears the rest of it."""
        cols, total = self.config.cols, self.config.output_bits
        place = address[: (self.groups - 1).bit_length()]
        pattern, mask, low_part = Signal(total), Signal(self.groups), Signal(total)
        with m.Switch(self["container"]):
            for code in range(4):
                bits = 1 << code
                packed = Cat(*(result[:bits] for result in results))
                with m.Case(code):
                    m.d.comb += [
                        pattern.eq(packed.replicate(total // (cols * bits))),
                        low_part.eq(packed),
                        mask.eq(((1 << bits) - 1) << place),
                    ]
        m.d.comb += [
            self.write_address.eq(address[len(place) :]),
            self.write_data.eq(Mux(place == 0, low_part, pattern)),
            self.write_enable.eq(Mux(place == 0, ~0, mask) & write.replicate(self.groups)),
        ]
