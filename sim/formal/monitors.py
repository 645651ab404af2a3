"""Components that state, beside a block, what always holds (`holds_*`) and what its surroundings keep to (`given_*`)."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.drain import Drain
from gatewright.hw.fetch import Fetch
from gatewright.hw.instructions import COUNT_BITS, LEVELS, STORE, OutputMode
from gatewright.hw.loader import LinearLoader
from gatewright.hw.loop_nest import LoopNest
from gatewright.hw.registers import InstructionRegisters
from gatewright.hw.sequencer import BLOCKS_IN_FLIGHT, Sequencer
from gatewright.hw.store import Store
from gatewright.hw.system import System


class Monitor(wiring.Component):
    """A block with all its inputs free, and one-bit outputs for properties and assumptions."""

    properties: tuple[str, ...] = ()

    def __init__(self, block: wiring.Component, *outputs: str) -> None:
        self.block = block
        self.free = [name for name, member in block.signature.members.items() if member.flow is In]
        inputs = {name: block.signature.members[name] for name in self.free}
        super().__init__(inputs | {name: Out(1) for name in (*outputs, *(f"holds_{name}" for name in self.properties))})

    def _inside(self) -> Module:
        """A module with the block and its inputs."""
        m = Module()
        m.submodules.block = self.block
        for name in self.free:
            inner, outer = getattr(self.block, name), getattr(self, name)
            pairs = zip(inner, outer, strict=True) if self.block.signature.members[name].dimensions else [(inner, outer)]
            m.d.comb += [a.eq(b) for a, b in pairs]
        return m


def previous(m: Module, value: Value, name: str) -> Signal:
    """The value one cycle ago; after a reset, 0."""
    held = Signal(len(value), name=f"previous_{name}")
    m.d.sync += held.eq(value)
    return held


def running(m: Module) -> Signal:
    """Low in the first cycle, which has no previous one."""
    started = Signal()
    m.d.sync += started.eq(1)
    return started


class LoopNestMonitor(Monitor):
    """Bounds stand still."""

    properties = ("range", "done_at_the_end_only", "ascending_then_zero")

    def __init__(self, levels: int, bits: int) -> None:
        super().__init__(LoopNest(levels, bits), "given_bounds")

    def elaborate(self, platform: object) -> Module:
        m, nest = self._inside(), self.block
        index, last = Cat(*reversed(list(nest.index))), Cat(*reversed(list(self.last)))
        started = running(m)
        before, advanced, was_done = (
            previous(m, value, name) for value, name in ((index, "index"), (self.advance, "advance"), (nest.done, "done"))
        )
        following = (index > before) & ~was_done | (index == 0) & was_done
        m.d.comb += [
            self.given_bounds.eq(~started | (last == previous(m, last, "last"))),
            self.holds_range.eq(Cat(i <= bound for i, bound in zip(nest.index, self.last, strict=True)).all()),
            self.holds_done_at_the_end_only.eq(nest.done == (index == last)),
            self.holds_ascending_then_zero.eq(~started | ((index == before) & ~advanced | following & advanced | (last == 0))),
        ]
        return m


class ComputeMonitor(wiring.Component):
    """Sequencer and drain as the accelerator joins them. An instruction stands still while it runs, and stays inside its accumulators."""

    properties = ("two_blocks_in_flight", "halves_apart", "tokens_alternate", "token_with_a_sum", "drained_what_was_complete")

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config, self.sequencer, self.drain = config, Sequencer(config), Drain(config)
        self.fields = {name: member for name, member in self.sequencer.signature.members.items() if name.startswith("field_")}
        outputs = ("given_start", "given_fields", "given_legal", *(f"holds_{name}" for name in self.properties))
        super().__init__(self.fields | {"start": In(1)} | {name: Out(1) for name in outputs})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer, m.submodules.drain = sequencer, drain = self.sequencer, self.drain
        for name in self.fields:
            m.d.comb += getattr(sequencer, name).eq(getattr(self, name))
            if name in drain.signature.members:
                m.d.comb += getattr(drain, name).eq(getattr(self, name))
        initialise = previous(m, sequencer.start, "start")
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.drained.eq(drain.drained),
            drain.token.eq(sequencer.token),
            drain.initialise.eq(initialise),
        ]
        fields = Cat(getattr(self, name) for name in self.fields)
        was_busy = previous(m, sequencer.busy | self.start, "busy")
        complete, half = Signal(3), Signal()  # blocks whose token came and which are not drained; the half the next token is of
        m.d.sync += complete.eq(complete + sequencer.token - drain.drained)
        with m.If(sequencer.token):
            m.d.sync += half.eq(~half)
        same_half = sequencer.index[0] == drain.index[0]
        m.d.comb += [
            self.given_start.eq(~(self.start & sequencer.busy)),
            self.given_fields.eq(~was_busy | (fields == previous(m, fields, "fields"))),
            self.given_legal.eq(
                (getattr(self, f"field_last{LEVELS - 1}") < self.config.block_capacity)
                & (self.field_last_row < self.config.rows)
                & (self.field_mode <= OutputMode.RAW)
            ),
            self.holds_two_blocks_in_flight.eq(complete <= BLOCKS_IN_FLIGHT),
            self.holds_halves_apart.eq(~(sequencer.accumulate & drain.beat & same_half)),
            self.holds_tokens_alternate.eq(~sequencer.token | (sequencer.index[0] == half)),
            self.holds_token_with_a_sum.eq(~sequencer.token | sequencer.accumulate),
            self.holds_drained_what_was_complete.eq(~drain.drained | (complete != 0)),
        ]
        return m


class LinearMonitor(Monitor):
    """A load starts when the last is done, its instruction stands still and has at least one word."""

    properties = ("length_words_and_no_more", "no_word_beside_a_load", "request_held")

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(LinearLoader(config), "given_start", "given_instruction")

    def elaborate(self, platform: object) -> Module:
        m, loader = self._inside(), self.block
        active, left = Signal(), Signal(16)
        with m.If(self.start):
            m.d.sync += [active.eq(1), left.eq(loader.request_length)]
        with m.If(loader.write):
            m.d.sync += left.eq(left - 1)
        with m.If(loader.done):
            m.d.sync += active.eq(0)
        m.d.comb += [
            self.given_start.eq(~(self.start & active) & ~(self.start & (loader.request_length == 0))),
            self.given_instruction.eq(~(self.instruction_write & (active | self.start))),
            self.holds_length_words_and_no_more.eq(loader.done == (loader.write & (left == 1))),
            self.holds_no_word_beside_a_load.eq(~loader.write | active & (left != 0)),
            self.holds_request_held.eq(
                held(m, loader.request_valid, self.request_ready, Cat(loader.request_address, loader.request_length), "request")
            ),
        ]
        return m


class StoreMonitor(Monitor):
    """A store starts when the last is done; its instruction, and the word read, stand still; no row or column is cut off.

    The words are counted by a loop nest over n, y, x and word (one grid row and column of tiles), proved by itself.
    """

    properties = (
        "write_held_until_ready",
        "no_write_beside_a_store",
        "a_read_for_every_word",
        "a_write_for_every_read",
        "reads_after_compute",
    )

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(Store(config), "given_start", "given_instruction", "given_read_data", "given_one_tile")

    def elaborate(self, platform: object) -> Module:
        m, store = self._inside(), self.block
        m.submodules.fields = fields = InstructionRegisters(STORE, self.config.operand_bits)
        nest = LoopNest(4, COUNT_BITS)
        m.submodules.nest = ResetInserter(previous(m, self.start, "start"))(nest)
        m.d.comb += [fields.write.eq(self.instruction_write), fields.index.eq(self.instruction_index), fields.data.eq(self.data)]
        m.d.comb += [nest.last[i].eq(fields[f"last_{loop}"]) for i, loop in enumerate(("n", "y", "x", "word"))]
        m.d.comb += nest.advance.eq(store.read & ~nest.done)
        every, unwritten, computed = Signal(), Signal(2), Signal()  # every word was read; read and not written; COMPUTE was seen to be done
        with m.If(store.read & nest.done):
            m.d.sync += every.eq(1)
        m.d.sync += unwritten.eq(unwritten + store.read - (store.write_valid & self.write_ready))
        with m.If(~self.compute_busy):
            m.d.sync += computed.eq(1)
        with m.If(self.start):
            m.d.sync += [every.eq(0), computed.eq(0)]
        ended = previous(m, store.busy, "busy") & ~store.busy
        m.d.comb += [
            self.given_start.eq(~(self.start & store.busy)),
            self.given_instruction.eq(~(self.instruction_write & (store.busy | self.start))),
            self.given_read_data.eq(
                ~running(m) | previous(m, store.read, "read") | (self.read_data == previous(m, self.read_data, "read_data"))
            ),
            self.given_one_tile.eq(
                ~store.busy
                | (fields["last_tile_y"] == 0)
                & (fields["last_tile_x"] == 0)
                & (nest.index[1] != fields["end_y"])
                & (nest.index[2] != fields["end_x"])
            ),
            self.holds_write_held_until_ready.eq(
                held(m, store.write_valid, self.write_ready, Cat(store.write_address, store.write_data), "write")
            ),
            self.holds_no_write_beside_a_store.eq(~store.write_valid | store.busy),
            self.holds_a_read_for_every_word.eq(~(store.read & every) & (~ended | every)),
            self.holds_a_write_for_every_read.eq((unwritten == store.write_valid) & (store.busy | (unwritten == 0))),
            self.holds_reads_after_compute.eq(~store.read | computed),
        ]
        return m


class FetchMonitor(Monitor):
    """The program starts while fetch is idle."""

    properties = ("request_held_until_ready", "one_dispatch_an_instruction", "quiet_when_idle")

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(Fetch(config), "given_start")

    def elaborate(self, platform: object) -> Module:
        m, fetch = self._inside(), self.block
        dispatched = Signal()  # since the last request
        with m.If(fetch.dispatch):
            m.d.sync += dispatched.eq(1)
        with m.If(fetch.request_valid):
            m.d.sync += dispatched.eq(0)
        m.d.comb += [
            self.given_start.eq(~(self.start & fetch.busy)),
            self.holds_request_held_until_ready.eq(
                held(m, fetch.request_valid, self.request_ready, Cat(fetch.request_address, fetch.request_length), "request")
            ),
            self.holds_one_dispatch_an_instruction.eq(~(fetch.dispatch & dispatched)),
            self.holds_quiet_when_idle.eq(fetch.busy | ~(fetch.request_valid | fetch.data_ready | fetch.dispatch)),
        ]
        return m


class SystemMonitor(Monitor):
    """The host holds its words and external memory its data until they are taken.

    Of a write only the address is looked at: its data are the output buffer's, which is cut out here; the store's monitor, which knows
    that a memory holds what was read, has them.
    """

    properties = ("answer_held_until_ready", "request_held_until_ready", "write_held_until_ready")

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(System(config), "given_host", "given_memory")

    def elaborate(self, platform: object) -> Module:
        m, system = self._inside(), self.block
        m.d.comb += [
            self.given_host.eq(held(m, self.in_valid, system.in_ready, self.in_data, "in")),
            self.given_memory.eq(held(m, self.data_valid, system.data_ready, self.data, "data")),
            self.holds_answer_held_until_ready.eq(held(m, system.out_valid, self.out_ready, system.out_data, "out")),
            self.holds_request_held_until_ready.eq(
                held(m, system.request_valid, self.request_ready, Cat(system.request_address, system.request_length), "request")
            ),
            self.holds_write_held_until_ready.eq(held(m, system.write_valid, self.write_ready, system.write_address, "write")),
        ]
        return m


def held(m: Module, valid: Value, ready: Value, payload: Value, name: str) -> Value:
    """What a stream's sender keeps to: what was offered and not taken is still offered, unchanged."""
    waited = previous(m, valid & ~ready, f"{name}_waited")
    return ~waited | (valid & (payload == previous(m, payload, f"{name}_payload")))
