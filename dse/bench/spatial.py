"""The certified mapper on a published design, beside what Timeloop needed for the same layers there."""

import time

from gatewright.dse.bench.base import Benchmark, Row, equal
from gatewright.dse.spatial.library import hierarchy, network
from gatewright.dse.spatial.mapper import certify
from gatewright.dse.spatial.nest import evaluate

# Timeloop with Accelergy on this design and network, perfect factors, on two cores in 2026: (seconds, EDP in J x cycle), best of the run.
CITED = {"Timeloop, its own end (cited)": (94.0, 1.61e5), "Timeloop, 2,000 valid mappings a layer (cited)": (320.0, 9.37e4)}
TINY = 2  # layers


def run(tiny: bool) -> tuple[list[Row], str]:
    design, layers = hierarchy("eyeriss"), network("resnet18").layers
    chosen = sorted(layers, key=lambda layer: layer.products)[:TINY] if tiny else layers
    certify(chosen[0], design)  # compiles, which a first run does once
    started = time.perf_counter()
    found = [certify(layer, design) for layer in chosen]
    seconds = time.perf_counter() - started
    equal(
        "costs that the mapper claims and that its mappings have",
        [one.cost for one in found],
        [evaluate(one.problem, design, one.nest) for one in found],
    )
    equal("multiplications", [one.cost.products for one in found], [layer.products for layer in chosen])
    energy, cycles = (sum(getattr(one.cost, name) * one.problem.count for one in found) for name in ("energy_pj", "cycles"))
    certified = sum(one.certified for one in found)
    name = "certified optimum"
    rows = [
        Row(name, seconds, "s"),
        Row(name, energy * cycles * 1e-12, "J x cycle"),
        Row("layers certified", certified, f"of {len(found)}"),
    ]
    for cited, (theirs, edp) in CITED.items() if not tiny else ():
        rows.append(Row(cited, theirs, "s", ratio=seconds / theirs, baseline=name, origin="cited"))
        rows.append(Row(cited, edp, "J x cycle", ratio=rows[1].value / edp, baseline=name, origin="cited"))
    return rows, "every layer's cost, evaluated again from its mapping; all multiplications made"


SPATIAL = Benchmark("spatial", "ResNet-18 mapped on the Eyeriss-like design, least energy-delay product of each layer", run)
