"""A quick look at whether the cost model holds here and for this network: a small probe accelerator, measured beside predicted."""

from collections.abc import Sequence

from gatewright.dse.cost import CostModel
from gatewright.dse.equations import sample
from gatewright.dse.heldout import Row, compare
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import BadInput
from gatewright.sim.measurement import Measurement
from gatewright.sim.probe import Probe, measure_probe
from gatewright.sim.technology import Technology, ihp130
from gatewright.sw.checkpoint import Trained

GRID = 2  # rows and columns of a probe
NAME = "check"
WORDS_MAX = {"weight_words": 32768, "output_words": 32768, "parameter_words": 4096}


def probe_config(config: AcceleratorConfig, trained: Trained) -> AcceleratorConfig:
    """The accelerator cut down to a small grid that holds the network's operators.

    What was spread over columns is in fewer of them, so that their buffers are deeper by as much; everything else is as it is.
    """
    used = {config.operators[config.path(layer.operator)] for layer in trained.network.workload.layers}
    cols = min(GRID, config.cols)
    deeper = {name: min(WORDS_MAX[name], getattr(config, name) * config.cols // cols) for name in WORDS_MAX}
    return config.replace(rows=min(GRID, config.rows), cols=cols, operators=tuple(o for o in config.operators if o in used), **deeper)


def measure_check(trained: Trained, config: AcceleratorConfig, technology: Technology | None = None, seed: int = 0) -> Measurement:
    """Synthesise the probe and run the network on it, with the network's own training images as operands."""
    small = probe_config(config, trained)
    probe = Probe(name=NAME, config=small, architecture=trained.architecture, recipe=trained.recipe, seed=seed)
    return measure_probe(probe, technology or ihp130(), network=trained).measurement


def probe_check(
    model: CostModel,
    trained: Trained,
    config: AcceleratorConfig,
    technology: Technology | None = None,
    blocks: int | None = None,
    seed: int = 0,
) -> tuple[Row, ...]:
    """The blocks of a small accelerator with the operators of a trained network: area and energy measured here, beside the model's.

    The last row is the whole accelerator. `blocks` keeps so many others, those of most energy. Raises BadInput where the accelerator's
    buffers are too small for the network on a small grid, and for a technology the model was not fitted to.
    """
    used = technology or ihp130()
    if used.name != model.technology:
        raise BadInput(
            f"The cost model is of {model.technology}, the measurement would be of {used.name}. Calibrate for {used.name} first."
        )
    *rows, whole = compare(model, sample(measure_check(trained, config, used, seed)))
    most = sorted(rows, key=lambda row: -row.energy_pj)[:blocks]
    return (*(row for row in rows if row in most), whole)


def worst(rows: Sequence[Row]) -> float:
    """The greatest signed energy error among some rows."""
    return max((row.energy_error for row in rows if row.energy_error is not None), key=abs, default=0.0)
