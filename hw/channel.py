"""Post-processing of one column of the grid: bias, requantisation or sign, pooling."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import MULTIPLIER_BITS, AcceleratorConfig
from gatewright.hw.instructions import COMPUTE, OutputMode

SHIFT_BITS = 5
SCALE_BITS = MULTIPLIER_BITS + SHIFT_BITS
RESULT_BITS = 9  # a result before packing, signed: -128..255
POOL_BITS = RESULT_BITS + 6  # the sum of up to 64 results
FIELDS = ("mode", "pool_average", "pool_shift", "low", "high")


class Channel(wiring.Component):
    """A pipeline whose stage i works in the cycle of `beat[i]`, one bit of a chain of registers that all columns share.

    0 take the accumulator; 1 v = accumulator + bias; 2 v * multiplier; 3 shift, round, clamp (or sign, or a byte of v); 4 `result`: the
    running greatest value or sum of grid row `row`'s pooling window, final with the window's last sample.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {f"field_{name}": In(COMPUTE.places[name][2]) for name in FIELDS}
            | {
                "beat": In(5),
                "plane": In(2),
                "row": In(max(1, (config.rows - 1).bit_length())),
                "first": In(1),
                "last": In(1),
                "accumulator": In(signed(config.accumulator_bits)),
                "bias": In(signed(config.accumulator_bits)),
                "scale": In(SCALE_BITS),
                "result": Out(signed(POOL_BITS)),
            }
        )

    def __getitem__(self, name: str) -> Signal:
        field: Signal = getattr(self, f"field_{name}")
        return field

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sample = self._requantise(m)
        if self.config.pooling:
            self._pool(m, sample)
        else:
            m.d.comb += self.result.eq(sample)
        return m

    def _requantise(self, m: Module) -> Signal:
        """Stages 0 to 3, up to the clamped result."""
        bits = self.config.accumulator_bits
        taken, v, v_held = Signal(signed(bits)), Signal(signed(bits)), Signal(signed(bits))
        product, sample = Signal(signed(bits + MULTIPLIER_BITS)), Signal(signed(RESULT_BITS))
        multiplier, shift1, shift2 = Signal(MULTIPLIER_BITS), Signal(SHIFT_BITS), Signal(SHIFT_BITS)
        with m.If(self.beat[0]):
            m.d.sync += taken.eq(self.accumulator)
        with m.If(self.beat[1]):
            m.d.sync += [
                v.eq(taken + self.bias),
                multiplier.eq(self.scale[:MULTIPLIER_BITS]),
                shift1.eq(self.scale[MULTIPLIER_BITS:]),
            ]
        with m.If(self.beat[2]):
            m.d.sync += [product.eq(v * multiplier), v_held.eq(v), shift2.eq(shift1)]
        rounded = ((product >> (shift2 - 1)[:SHIFT_BITS]) + 1) >> 1  # equals (product + 2**(shift - 1)) >> shift
        low, high = self["low"].as_signed(), self["high"].as_signed()
        with m.If(self.beat[3]):
            with m.Switch(self["mode"]):
                with m.Case(OutputMode.SIGN):
                    m.d.sync += sample.eq(Cat((v_held >= 0) & shift2.any()))  # a column beyond the channels has shift 0
                with m.Case(OutputMode.RAW):
                    wide = Signal(signed(32))
                    m.d.comb += wide.eq(v_held)
                    m.d.sync += sample.eq(wide.as_unsigned().word_select(self.plane, 8))
                with m.Default():
                    m.d.sync += sample.eq(Mux(rounded < low, low, Mux(rounded > high, high, rounded)))
        return sample

    def _pool(self, m: Module, sample: Signal) -> None:
        """Stage 4: the window's state of every grid row, held until its last sample."""
        states = Array(Signal(signed(POOL_BITS), name=f"pool{r}") for r in range(self.config.rows))
        old, new = Signal(signed(POOL_BITS)), Signal(signed(POOL_BITS))
        joined = Mux(self["pool_average"], old + sample, Mux(old > sample, old, sample))
        rounding = (1 << self["pool_shift"]) >> 1
        m.d.comb += [
            old.eq(states[self.row]),
            new.eq(Mux(self.first, sample, joined)),
            self.result.eq(Mux(self["pool_average"], (new + rounding) >> self["pool_shift"], new)),
        ]
        with m.If(self.beat[4] & ~self.last):
            m.d.sync += states[self.row].eq(new)
