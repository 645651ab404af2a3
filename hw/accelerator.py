"""The complete accelerator: program fetch, loaders, buffers, sequencer, grid, drain, post-processing, store."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.channel import SCALE_BITS
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.drain import FIELDS as DRAIN_FIELDS
from gatewright.hw.drain import Drain
from gatewright.hw.fetch import Fetch
from gatewright.hw.grid import Grid
from gatewright.hw.instructions import ADDRESS_BITS, COMPUTE, Opcode
from gatewright.hw.loader import ImageLoader, LinearLoader
from gatewright.hw.memory import Memory
from gatewright.hw.post import FIELDS as POST_FIELDS
from gatewright.hw.post import Post
from gatewright.hw.registers import InstructionRegisters
from gatewright.hw.sequencer import Sequencer
from gatewright.hw.store import Store

MEMORY_PORTS = {  # external memory: read bursts and single writes, each channel on its own
    "request_valid": Out(1),
    "request_ready": In(1),
    "request_address": Out(ADDRESS_BITS),
    "request_length": Out(16),
    "data_valid": In(1),
    "data_ready": Out(1),
    "write_valid": Out(1),
    "write_ready": In(1),
    "write_address": Out(ADDRESS_BITS),
}


class Accelerator(wiring.Component):
    """Runs the program at `entry`, whose first instruction has `entry_words` memory words, from `start` until `busy` falls."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            MEMORY_PORTS
            | {
                "data": In(config.operand_bits),
                "write_data": Out(config.operand_bits),
                "start": In(1),
                "entry": In(ADDRESS_BITS),
                "entry_words": In(6),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.fetch = fetch = Fetch(config)
        m.submodules.linear = linear = LinearLoader(config)
        m.submodules.image = image = ImageLoader(config)
        m.submodules.instruction = instruction = InstructionRegisters(COMPUTE, config.operand_bits)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.grid = grid = Grid(config, sequencer.step_bits)
        m.submodules.drain = drain = Drain(config)
        m.submodules.post = post = Post(config, drain.address_bits)
        m.submodules.store = store = Store(config)
        weights = Memory(config.weight_words, config.operand_bits * config.cols, config.cols)
        activations = [Memory(config.activation_words, config.operand_bits) for _ in range(config.rows)]
        outputs = Memory(config.output_words, config.output_bits, post.groups)
        biases = Memory(config.parameter_words, config.accumulator_bits * config.cols, config.cols)
        scales = Memory(config.parameter_words, SCALE_BITS * config.cols, config.cols)
        named = {"weights": weights, "outputs": outputs, "biases": biases, "scales": scales}
        named |= {f"activations_{r}": memory for r, memory in enumerate(activations)}
        for name, memory in named.items():
            m.submodules[f"memory_{name}"] = memory

        compute_busy = sequencer.busy | post.busy
        initialise = Signal()
        m.d.sync += initialise.eq(sequencer.start)
        m.d.comb += [
            fetch.start.eq(self.start),
            fetch.entry.eq(self.entry),
            fetch.entry_words.eq(self.entry_words),
            fetch.compute_busy.eq(compute_busy),
            fetch.store_busy.eq(store.busy),
            self.busy.eq(fetch.busy),
            sequencer.start.eq(fetch.dispatch & (fetch.opcode == Opcode.COMPUTE)),
            sequencer.drained.eq(drain.drained),
            drain.initialise.eq(initialise),
            drain.token.eq(sequencer.token),
        ]
        self._memory_port(m, fetch, linear, image)
        self._instructions(m, fetch, linear, image, instruction, store)
        for engine, names in ((sequencer, COMPUTE.places), (drain, DRAIN_FIELDS), (post, POST_FIELDS)):
            m.d.comb += [engine[name].eq(instruction[name]) for name in names]
        self._loads(m, fetch, linear, image, weights, biases, scales, activations)
        self._compute(m, sequencer, grid, weights, activations)
        self._results(m, grid, drain, post, biases, scales, outputs)
        m.d.comb += [
            store.start.eq(fetch.dispatch & (fetch.opcode == Opcode.STORE)),
            store.compute_busy.eq(compute_busy),
            outputs.read_enable.eq(store.read),
            outputs.read_address.eq(store.read_address),
            store.read_data.eq(outputs.read_data),
            self.write_valid.eq(store.write_valid),
            store.write_ready.eq(self.write_ready),
            self.write_address.eq(store.write_address),
            self.write_data.eq(store.write_data),
        ]
        return m

    def _memory_port(self, m: Module, fetch: Fetch, linear: LinearLoader, image: ImageLoader) -> None:
        """Fetch and the loaders take turns, never at once, so the port is an OR of what they ask."""
        image_selected = fetch.opcode == Opcode.LOAD_ACTIVATIONS
        for signal in ("request_valid", "request_address", "request_length", "data_ready"):
            asked = Mux(fetch.fetching, getattr(fetch, signal), Mux(image_selected, getattr(image, signal), getattr(linear, signal)))
            m.d.comb += getattr(self, signal).eq(asked)
        for part in (fetch, linear, image):
            m.d.comb += [part.data.eq(self.data), part.request_ready.eq(self.request_ready), part.data_valid.eq(self.data_valid)]

    def _instructions(
        self, m: Module, fetch: Fetch, linear: LinearLoader, image: ImageLoader, instruction: InstructionRegisters, store: Store
    ) -> None:
        """Each fetched word goes to the registers of the unit that runs the instruction."""
        m.d.comb += [
            instruction.write.eq(fetch.instruction_write & (fetch.opcode == Opcode.COMPUTE)),
            instruction.index.eq(fetch.instruction_index),
            instruction.data.eq(self.data),
            store.instruction_write.eq(fetch.instruction_write & (fetch.opcode == Opcode.STORE)),
            store.instruction_index.eq(fetch.instruction_index),
            store.data.eq(self.data),
            image.instruction_write.eq(fetch.instruction_write & (fetch.opcode == Opcode.LOAD_ACTIVATIONS)),
            image.instruction_index.eq(fetch.instruction_index),
            linear.instruction_write.eq(fetch.instruction_write & (fetch.opcode != Opcode.LOAD_ACTIVATIONS)),
            linear.instruction_index.eq(fetch.instruction_index),
        ]

    def _loads(
        self,
        m: Module,
        fetch: Fetch,
        linear: LinearLoader,
        image: ImageLoader,
        weights: Memory,
        biases: Memory,
        scales: Memory,
        activations: list[Memory],
    ) -> None:
        """Where loaded words are written."""
        config = self.config
        parameters = fetch.opcode == Opcode.LOAD_PARAMETERS
        halves = config.operand_bits == 32
        bank = 1 << linear.bank
        bias_word, scale_word = (linear.write & ~linear.half, linear.write & linear.half) if halves else (linear.write, linear.write)
        scale = self.data[:SCALE_BITS] if halves else self.data[32 : 32 + SCALE_BITS]
        dispatch = fetch.dispatch
        m.d.comb += [
            linear.halves.eq(parameters & halves),
            linear.start.eq(dispatch & (parameters | (fetch.opcode == Opcode.LOAD_WEIGHTS) | (fetch.opcode == Opcode.LOAD_WINDOWS))),
            image.start.eq(dispatch & (fetch.opcode == Opcode.LOAD_ACTIVATIONS)),
            fetch.load_done.eq(linear.done | image.done),
            image.window_write.eq(Mux(linear.write & (fetch.opcode == Opcode.LOAD_WINDOWS), bank, 0)),
            weights.write_enable.eq(Mux(linear.write & (fetch.opcode == Opcode.LOAD_WEIGHTS), bank, 0)),
            weights.write_address.eq(linear.address),
            weights.write_data.eq(self.data.replicate(config.cols)),
            biases.write_enable.eq(Mux(bias_word & parameters, bank, 0)),
            biases.write_address.eq(linear.address),
            biases.write_data.eq(self.data[: config.accumulator_bits].replicate(config.cols)),
            scales.write_enable.eq(Mux(scale_word & parameters, bank, 0)),
            scales.write_address.eq(linear.address),
            scales.write_data.eq(scale.replicate(config.cols)),
        ]
        for r, memory in enumerate(activations):
            m.d.comb += [
                memory.write_enable.eq(image.enable[r]),
                memory.write_address.eq(image.address[r]),
                memory.write_data.eq(image.word),
            ]

    def _compute(self, m: Module, sequencer: Sequencer, grid: Grid, weights: Memory, activations: list[Memory]) -> None:
        """Buffers feed the grid; the sequencer's control travels beside the operands."""
        bits = self.config.operand_bits
        m.d.comb += [
            weights.read_enable.eq(sequencer.weight_read),
            weights.read_address.eq(sequencer.weight_address),
            *(grid.weights[c].eq(weights.read_data.word_select(c, bits)) for c in range(self.config.cols)),
            *(getattr(grid, name).eq(getattr(sequencer, name)) for name in ("edge_select", "edge_step", "operator_select")),
            *(getattr(grid, name).eq(getattr(sequencer, name)) for name in ("sum_enable", "accumulate", "clear", "index")),
        ]
        for r, memory in enumerate(activations):
            m.d.comb += [
                memory.read_enable.eq(sequencer.activation_read),
                memory.read_address.eq(sequencer.activation_address),
                grid.activations[r].eq(memory.read_data),
            ]

    def _results(self, m: Module, grid: Grid, drain: Drain, post: Post, biases: Memory, scales: Memory, outputs: Memory) -> None:
        """Finished sums pass post-processing into the output buffer."""
        m.d.comb += [
            grid.drain_row.eq(drain.row & drain.beat.replicate(self.config.rows)),
            grid.drain_index.eq(drain.index),
            *(
                getattr(post, name).eq(getattr(drain, name))
                for name in ("beat", "plane", "row_index", "pool_first", "pool_last", "address")
            ),
            *(post.accumulators[c].eq(grid.drained[c]) for c in range(self.config.cols)),
            post.bias.eq(biases.read_data),
            post.scale.eq(scales.read_data),
            outputs.write_enable.eq(post.write_enable),
            outputs.write_address.eq(post.write_address),
            outputs.write_data.eq(post.write_data),
        ]
        for memory in (biases, scales):
            m.d.comb += [memory.read_enable.eq(drain.parameter_read), memory.read_address.eq(drain.parameter_address)]
