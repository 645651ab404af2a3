"""What is searched: networks of a plan and the circuits of their layers, as Optuna distributions and back.

A stage is the convolutions up to a pooling; its layers have one circuit, for they reduce maps of one size. The logits have their own.
"""

from collections.abc import Sequence

from optuna.distributions import CategoricalDistribution

from gatewright.dse.layered import Params
from gatewright.dse.scnas.plan import Plan
from gatewright.hw.config import Operator, stochastic
from gatewright.hw.errors import BadInput
from gatewright.hw.names import operator_named
from gatewright.sw.models import Architecture

BINARY = "xnor"  # a stream of length one
LAST = "circuit_last"


def circuits() -> tuple[str, ...]:
    """The stream circuits that are worth choosing from, by name."""
    lengths = {4: (4, 8, 16, 32), 8: (8, 16, 32, 64)}
    return tuple(stochastic(n, source=source, bits=b).name for b in lengths for n in lengths[b] for source in ("sobol", "counter"))


def stages(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Convolutions by stage: each ends with a pooling, but for what follows the last one."""
    ends = sorted({*plan.pool_after, len(plan.widths) - 1})
    return tuple(tuple(range(first + 1, last + 1)) for first, last in zip([-1, *ends], ends, strict=False))


def distributions(
    plan: Plan, *, operators: Sequence[str] = (), network: Architecture | None = None, contracted: bool = True
) -> dict[str, CategoricalDistribution]:
    """Every choice by name: width{i} and kernel{i} of convolution i, circuit{j} and pooling{j} of stage j, circuit_last of the logits;
    activation{i} (what becomes of negative results) where a layer may read signed ones.

    operators: of all layers, in place of stream circuits (one is no choice). network: whose sizes are given, and only circuits chosen.
    contracted: else the space before the contraction, as far as it can be built at all: each layer's circuit in its parts (length{i},
    bits{i}, coding{i}, source{i}, sharing{i}, adder{i}, or ..._last), of which many fit no others.
    """
    choices: dict[str, Sequence[str | int]] = {}
    if network is None:
        choices |= {f"width{i}": widths for i, widths in enumerate(plan.widths)}
        choices |= {f"kernel{i}": plan.kernels for i in range(len(plan.widths))}
        choices |= {f"pooling{j}": plan.pooling for j in range(len(plan.pool_after))}
    if not operators:
        multibit = circuits()
        choices |= {f"circuit{j}": (*multibit, BINARY) if j else multibit for j in range(len(stages(plan)))}
        choices[LAST] = multibit
    elif len(operators) > 1:
        choices |= {f"circuit{j}": tuple(operators) for j in range(len(stages(plan)))} | {LAST: tuple(operators)}
    return {name: CategoricalDistribution(tuple(dict.fromkeys(values))) for name, values in choices.items()}


def architecture(
    plan: Plan,
    params: Params,
    shape: tuple[int, int, int],
    classes: int,
    *,
    operators: Sequence[str] = (),
    network: Architecture | None = None,
) -> Architecture:
    """The network of a choice. shape: channels, height and width of the images. Raises BadInput, naming the rule, for an impossible one."""
    many, parts = range(len(plan.widths)), stages(plan)

    def circuit(name: str) -> Operator:
        return operator_named(str(params[name]) if name in params else operators[0])

    chosen = [circuit(f"circuit{j}") for j, part in enumerate(parts) for _ in part] + [circuit(LAST)]
    if chosen[0].kind == "xnor" or chosen[-1].kind == "xnor":
        raise BadInput("The image and the logits need operands of several bits; got xnor for the first or the last layer.")
    if network is not None:
        return network.replace(operators=tuple(chosen))
    return Architecture(
        family="vgg",
        channels=shape[0],
        height=shape[1],
        width=shape[2],
        classes=classes,
        widths=tuple(int(params[f"width{i}"]) for i in many),
        kernels=tuple(int(params[f"kernel{i}"]) for i in many),
        pool_after=tuple(sorted(plan.pool_after)),
        pooling=tuple(params[f"pooling{j}"] for j in range(len(plan.pool_after))),
        operators=tuple(chosen),
    )
