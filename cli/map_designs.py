"""What `gatewright map` maps on: a hierarchy of memories and arrays, or a grid of ours. Both give a row for a layer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.mapper import Objective
    from gatewright.dse.spatial.hierarchy import Hierarchy
    from gatewright.dse.spatial.problem import Problem
    from gatewright.hw.config import AcceleratorConfig
    from gatewright.sw.layers import Layer

PAD_SECONDS = 10.0
EDP = 1e-12  # J a pJ


@dataclass(frozen=True)
class Row:
    """One layer: costs of one of its `count` equal copies. `utilisation`: products made of those the design could make in the cycles.

    `energy_by_level_pj`: the parts of `energy_pj` of a hierarchy. `memory_pj`: on-chip memories of a grid, which are not in `energy_pj`.
    """

    name: str
    count: int
    energy_pj: float
    cycles: float
    utilisation: float
    certified: bool
    gap: float
    seconds: float
    mapping: str
    energy_by_level_pj: Mapping[str, float] | None = None
    memory_pj: float | None = None

    @property
    def edp(self) -> float:
        """J * cycle."""
        return self.energy_pj * self.cycles * EDP


class OnHierarchy:
    """Levels with cited energies."""

    def __init__(self, design: "Hierarchy", objective: "Objective", seconds: float | None, pad: bool) -> None:
        self.design, self.objective, self.seconds, self.pad = design, objective, seconds, pad
        self.name = design.name

    def row(self, layer: "Problem") -> Row:
        """Raises BadInput for a layer that cannot be mapped."""
        from gatewright.dse.spatial.mapper import certify
        from gatewright.dse.spatial.padded import certify_padded

        if self.pad:
            found = certify_padded(layer, self.design, self.objective, PAD_SECONDS if self.seconds is None else self.seconds)
        else:
            found = certify(layer, self.design, self.objective, self.seconds)
        return Row(
            layer.name,
            layer.count,
            found.cost.energy_pj,
            found.cost.cycles,
            layer.products / found.cost.cycles / self.design.peak,
            found.certified,
            found.gap,
            found.seconds,
            found.nest.words(self.design),
            energy_by_level_pj=found.cost.by_level_pj,
        )

    def refusal(self, refused: "Mapping[Problem, str]") -> str:
        """Why these layers cannot be mapped; a reason that several have, of the first."""
        reasons: dict[str, str] = {}
        for layer, why in refused.items():
            reasons.setdefault(why.removeprefix(f"Layer {layer.name} "), why)
        return " ".join(reasons.values())

    def basis(self) -> dict[str, Any]:
        """What the costs rest on."""
        unlimited = [level.name for level in self.design.levels[1:] if level.words is None]
        return {"costs": f"cited, not measured: {self.design.source}", "unlimited": unlimited}


class OnGrid:
    """An accelerator of ours, with calibrated energies."""

    def __init__(
        self, config: "AcceleratorConfig", operator: str | None, technology: str, objective: "Objective", seconds: float | None
    ) -> None:
        from gatewright.dse.cost import CostModel
        from gatewright.hw.names import operator_named
        from gatewright.sim.technology import technology_named

        self.config, self.objective, self.seconds = config, objective, seconds
        self.operator = operator_named(operator) if operator else config.operators[0]
        if self.operator not in config.operators:
            raise BadInput(f"The grid has no operator {self.operator.name}; it has {', '.join(one.name for one in config.operators)}.")
        self.model = CostModel.default(technology_named(technology).name)
        self.activity = ""  # known with the first layer
        self.name = "our grid"

    def row(self, problem: "Problem") -> Row:
        """Raises BadInput for a layer that cannot be mapped."""
        from gatewright.dse.mapper import Mapper, alone
        from gatewright.dse.work import Run
        from gatewright.sw.layers import Context

        layer, context = self._layer(problem), Context(self.operator)
        self._check_reach(layer, problem.N)
        found = Mapper(self.model, images=problem.N, seconds=self.seconds).certify(layer, self.config, context, self.objective)
        both, _ = Mapper(self.model, images=problem.N, memories=1.0).score(layer, self.config, found.mapping, context)
        if not self.activity:
            run = Run.of(alone(layer, self.config, found.mapping, problem.N, context))
            self.activity = self.model.activity(run.works[0], self.config.operand_bits)[1]
        peak = self.config.rows * self.config.cols * self.config.lanes(self.operator) / self.operator.steps
        return Row(
            problem.name,
            problem.count,
            found.energy_pj,
            found.cycles,
            problem.products / found.cycles / peak,
            found.certified,
            found.gap,
            found.seconds,
            " ".join(f"{name}={value}" for name, value in found.mapping.model_dump().items() if value not in (1, "none")),
            memory_pj=both - found.energy_pj,
        )

    def _check_reach(self, layer: "Layer", images: int) -> None:
        """Raises BadInput for a layer that no program's addresses reach, before all its mappings are listed, which could take for ever."""
        from gatewright.sw.limits import ADDRESSES

        weights = layer.K * layer.R * layer.S * ceil(layer.C / layer.groups / self.config.lanes(self.operator))
        words = weights + layer.K + images * (layer.H * layer.W + layer.out_h * layer.out_w)
        if words >= ADDRESSES:
            raise BadInput(
                f"at least {words:,} memory words (weights, and one for each output channel and each pixel of input and output) exceed "
                f"{ADDRESSES - 1:,}. Choose a smaller layer, or map a part of it."
            )

    def _layer(self, p: "Problem") -> "Layer":
        from gatewright.sw.layers import Layer

        size = {"H": (p.P - 1) * p.stride + p.R, "W": (p.Q - 1) * p.stride + p.S, "R": p.R, "S": p.S, "stride": p.stride}
        return Layer(name=p.name, operator=self.operator, C=p.G * p.C, K=p.G * p.K, groups=p.G, **size)

    def refusal(self, refused: "Mapping[Problem, str]") -> str:
        """The least sizes with which every layer fits, each with a layer that needs so much; layers that no size helps by themselves."""
        from gatewright.sw.layers import Context
        from gatewright.sw.mapping import Mapping as OfLayer
        from gatewright.sw.mapping import Tiling, too_small

        needs: dict[str, tuple[int, str]] = {}
        helpless = []
        for problem, why in refused.items():
            try:
                self._check_reach(layer := self._layer(problem), problem.N)
                tile = Tiling(layer, self.config, OfLayer(), problem.N, Context(self.operator))
                keys = too_small(tile)
                cured = replace(tile, config=self.config.replace(**keys)).broken_rule() is None
            except BadInput:  # no layer of ours, one out of reach, or more than an accelerator may have
                cured = False
            if not cured:
                helpless.append(f"Layer {problem.name}: {why}")
                continue
            for key, words in keys.items():
                needs[key] = max(needs.get(key, (0, "")), (words, problem.name), key=lambda need: need[0])
        raised = [f"{key} to {words} (for {name})" for key, (words, name) in needs.items()]
        cure = [f"Raise the accelerator's {' and '.join(raised)}{', for the others' if helpless else ''}."] if raised else []
        return " ".join(helpless + cure)

    def basis(self) -> dict[str, Any]:
        """What the costs rest on."""
        from gatewright.dse.cost import CLOCK_NS

        return {
            "costs": "calibrated: the logic alone; cycles are exact",
            "technology": self.model.technology,
            "clock_ns": CLOCK_NS,
            "heldout_error": self.model.heldout_error,
            "activity": self.activity,
        }
