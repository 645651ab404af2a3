"""What is found of a point: a row of integers, in `NUMBERS`' order; and the energy that follows from it."""

from gatewright.dse.closed_form.compiled import compiled

NUMBERS = (
    *("cycles", "issues", "products", "slots", "busy", "activation_reads", "weight_reads", "activation_writes", "beats", "output_writes"),
    *("parameter_reads", "linear_words", "image_words", "padding_words", "instruction_words", "stored_words"),  # as sw.counts.Counts
    *("weight_writes", "parameter_writes"),  # words loaded into the weight buffers and each parameter buffer
    *("linear_loads", "image_cycles"),  # instructions that load words, cycles of those that load images: for the bound
)
CYCLES, ISSUES, PRODUCTS, SLOTS, BUSY, ACTIVATION_READS, WEIGHT_READS, ACTIVATION_WRITES, BEATS, OUTPUT_WRITES = range(10)
PARAMETER_READS, LINEAR_WORDS, IMAGE_WORDS, PADDING_WORDS, INSTRUCTION_WORDS, STORED_WORDS = range(10, 16)
WEIGHT_WRITES, PARAMETER_WRITES, LINEAR_LOADS, IMAGE_CYCLES = range(16, 20)

PRICED = 18  # numbers that energy is linear in: all but those for the bound
USEFUL = ("issues", "activation_reads", "weight_reads")
TERMS = (*NUMBERS[:PRICED], *(f"useful_{name}" for name in USEFUL), "switches")  # what energy is linear in; see dse.work.BASIS


@compiled
def energy(p, n, cost):
    """Energy in pJ of a point with the numbers `n`: the `TERMS` times their cost."""
    total = 0.0
    for i in range(PRICED):
        total += n[i] * cost[i]
    useful = n[PRODUCTS] / n[SLOTS]
    total += (
        useful * n[ISSUES] * cost[PRICED] + useful * n[ACTIVATION_READS] * cost[PRICED + 1] + useful * n[WEIGHT_READS] * cost[PRICED + 2]
    )
    return total + max(0.0, n[ISSUES] / p.steps - min(n[ACTIVATION_READS], n[WEIGHT_READS])) * cost[PRICED + 3]
