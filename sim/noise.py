"""The noise floor of calibration: how far area and energy of one block move when nothing that matters changes.

    python -m gatewright.sim.noise

Small complete accelerators are written anew: other names, another order of statements, modules and ports, operands of sums and products
exchanged, and all of it at once. Each text is synthesised and its gates run the network, whose results must be right. Then the unchanged
accelerator runs on other images. What a block's area and energy do meanwhile, no model of its configuration can predict. abc takes no seed.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.hw.config import shift
from gatewright.hw.errors import BadInput
from gatewright.sim import files, tools
from gatewright.sim.accelerator import measure
from gatewright.sim.measurement import describe
from gatewright.sim.netlist import Netlist, Path_
from gatewright.sim.network import TOP, system_verilog
from gatewright.sim.plan import BPS, L1, PROBES, probe, vgg
from gatewright.sim.probe import CLOCK_NS, TOOLS, Probe, mapped, trained
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Technology, ihp130
from gatewright.sim.verilog_variants import Names, exchanged, renamed, reordered
from gatewright.sw.data import encode, load
from gatewright.sw.program import lower

DATA = Path(__file__).parent / "data" / "noise_floor.json"
OTHERS = probe("others", 2, 2, vgg((8, 8), shift(), L1, BPS), {"accumulator_bits": 30})
MEASURED = (*(each for each in PROBES if each.name in ("int8", "mixed")), OTHERS)  # they hold every kind of lanes
SEEDS = {"names": 2, "order": 2, "operands": 2, "all": 2}  # texts of each kind
DRAWS = 8  # of other images
STREAMS = (16, 64)  # images in one draw
_DRAWN = f"draws_{STREAMS[-1]}_"
WHOLE = "accelerator"

Parts = dict[str, tuple[float, float, float]]  # by part: area in um2; energy in pJ per run without glitches, and of glitches


@dataclass(frozen=True)
class Floor:
    """Relative standard deviations; `worst` ones are the greatest deviation from the mean.

    `area` and `text` (energy) are of texts that mean the same, `draws` is energy over other images, 64 of them a draw.
    """

    area: float
    text: float
    draws: float
    area_worst: float
    energy_worst: float

    @property
    def energy(self) -> float:
        """Texts and draws together, as independent."""
        return float(np.hypot(self.text, self.draws))


def noise_floor(kind: str = WHOLE, glitches: bool = False) -> Floor:
    """The floor of a part (`lanes:int8x8u`), of a kind of parts (`lanes`, `post`: the mean of them) or of a whole accelerator, as shipped.

    glitches: whether energies include them. Raises BadInput for one that was not measured.
    """
    found = [floor for part, floor in floors(glitches) if kind in (part, part.partition(":")[0])]
    if not found:
        known = sorted({part for part, _ in floors(glitches)})
        raise BadInput(f"The noise floor of {kind!r} was not measured; known are {', '.join(known)}.")
    return Floor(
        area=float(np.mean([floor.area for floor in found])),
        text=float(np.mean([floor.text for floor in found])),
        draws=float(np.mean([floor.draws for floor in found])),
        area_worst=max(floor.area_worst for floor in found),
        energy_worst=max(floor.energy_worst for floor in found),
    )


@lru_cache(maxsize=2)
def floors(glitches: bool = False) -> tuple[tuple[str, Floor], ...]:
    """Every part of every accelerator that was measured, in the shipped data."""
    record = json.loads(DATA.read_text())
    return tuple(item for one in record["accelerators"] for item in _floors(one, glitches))


def _floors(record: Mapping[str, Any], glitches: bool) -> Iterator[tuple[str, Floor]]:
    for part, values in record["parts"].items():
        energies = [np.array(values[start + "energy_pj"]) + glitches * np.array(values[start + "glitches_pj"]) for start in ("", _DRAWN)]
        area, text, draws = map(_deviations, (values["area_um2"], *energies))
        worst = max(np.abs(text).max(), np.abs(draws).max())
        spreads = {name: float(each.std(ddof=1)) for name, each in (("area", area), ("text", text), ("draws", draws))}
        yield part, Floor(**spreads, area_worst=float(np.abs(area).max()), energy_worst=float(worst))


def _deviations(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Relative to the mean; none where there is nothing."""
    mean = float(np.mean(values))
    return np.asarray(values) / mean - 1 if mean else np.zeros(len(values))


def texts(verilog: str, seeds: Mapping[str, int]) -> Iterator[tuple[str, str, Names]]:
    """The text as it is and its variants: what was done, the Verilog, and what renamed instances were called."""
    yield "as generated", verilog, {}
    for seed in range(1, seeds.get("names", 0) + 1):
        yield f"names {seed}", *renamed(verilog, TOP, seed)
    for seed in range(1, seeds.get("order", 0) + 1):
        yield f"order {seed}", reordered(verilog, seed), {}
    for seed in range(1, seeds.get("operands", 0) + 1):
        yield f"operands {seed}", exchanged(verilog, seed), {}
    for seed in range(1, seeds.get("all", 0) + 1):
        yield f"all {seed}", *renamed(reordered(exchanged(verilog, 100 + seed), 100 + seed), TOP, 100 + seed)


def restored(netlist: Netlist, instances: Names) -> Netlist:
    """The netlist with the instances' own names."""

    def path(chain: Path_) -> Path_:
        return tuple(instances.get(name, name) for name in chain)

    memories = tuple(replace(memory, path=path(memory.path)) for memory in netlist.memories)
    return replace(netlist, paths=tuple(map(path, netlist.paths)), memories=memories)


def measure_text(chosen: Probe, verilog: str, instances: Names, technology: Technology, images: Sequence[int] | None = None) -> Parts:
    """Area and energy of every part, and of the whole, of an accelerator with this Verilog.

    images: which training images run, by default the first ones. Raises Mismatch unless its gates compute what the golden model does.
    """
    netlist = restored(synthesise(verilog, TOP, technology.liberty_files()), instances)
    source = trained(chosen.architecture, chosen.recipe)
    program = lower(source.export(), chosen.config, mapped(chosen), chosen.images)
    data = load(source.dataset)
    drawn = data.train.take(np.arange(chosen.images * chosen.streams) if images is None else np.asarray(images))
    codes = encode(chosen.architecture.operators[0], drawn.images, data.maximum)
    measured = measure(program, codes, technology, CLOCK_NS, netlist)
    made = describe(measured, chosen.name, chosen.architecture, "", {})
    causes = {key: [layer.energy[key] for layer in made.layers if key in layer.energy] for key in made.parts}
    parts = {
        key: (part.area_um2, sum(sum(each[:3]) for each in causes[key]), sum(each[3] for each in causes[key]))
        for key, part in made.parts.items()
    }
    return parts | {WHOLE: (made.area_um2, made.zero_delay_pj, made.energy_pj - made.zero_delay_pj)}


def measure_floor(
    chosen: Probe,
    technology: Technology,
    seeds: Mapping[str, int] | None = None,
    draws: int = DRAWS,
    streams: Sequence[int] = STREAMS,
    listen: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Every text and every draw of one probe: by part, areas and energies in the order of `variants`, energies of draws by their size."""
    verilog = system_verilog(chosen.config)
    variants: list[str] = []
    measured: list[Parts] = []
    for name, text, instances in texts(verilog, seeds or SEEDS):
        listen(f"{chosen.name}: {name}")
        variants.append(name)
        measured.append(measure_text(chosen, text, instances, technology))
    parts = {key: _columns(measured, key, "") | {"area_um2": [_six(one[key][0]) for one in measured]} for key in measured[0]}
    total = len(load("digits").train.images)
    for number in streams:
        listen(f"{chosen.name}: {draws} draws of {number} images")
        rng = np.random.default_rng(number)
        images = [rng.choice(total, number * chosen.images, replace=False).tolist() for _ in range(draws)]
        drawn = [measure_text(chosen, verilog, {}, technology, each) for each in images]
        for key, values in parts.items():
            values |= _columns(drawn, key, f"draws_{number}_")
    return {"name": chosen.name, "variants": variants, "parts": parts}


def _columns(measured: Sequence[Parts], key: str, start: str) -> dict[str, list[float]]:
    """Energies of one part, in the order measured."""
    return {start + "energy_pj": [_six(one[key][1]) for one in measured], start + "glitches_pj": [_six(one[key][2]) for one in measured]}


def _six(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")


def table() -> str:
    """The shipped floors as a Markdown table: kinds of parts, means and worst."""
    rows = ["| block | area | worst | energy, text | energy, other images | together | worst |", "|---|---|---|---|---|---|---|"]
    for kind in dict.fromkeys(part for part, _ in floors()):
        floor = noise_floor(kind)
        shares = (floor.area, floor.area_worst, floor.text, floor.draws, floor.energy, floor.energy_worst)
        rows.append(f"| {kind} | " + " | ".join(f"{share:.2%}" for share in shares) + " |")
    return "\n".join(rows)


def main() -> None:
    """Measure all, write the data, print the table."""
    technology = ihp130()
    done = [measure_floor(each, technology, listen=lambda text: print(text, file=sys.stderr, flush=True)) for each in MEASURED]
    record = {
        "provenance": "measured: python -m gatewright.sim.noise",
        "technology": technology.name,
        "technology_hash": technology.hash,
        "tools": tools.versions(*TOOLS),
        "operands": "networks trained on digits, training images",
        "accelerators": done,
    }
    files.write(DATA, json.dumps(record, separators=(",", ":")).replace('},"', '},\n"') + "\n")
    floors.cache_clear()
    print(table())


if __name__ == "__main__":
    main()
