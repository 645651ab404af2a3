"""The reward of a trial among those before it, on a scale of its own: from ranks, so that units and outliers do not matter."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

PRUNED = -1.0


@dataclass(frozen=True)
class Ranking:
    """What the trials so far gave, sorted. values: of each objective, greater is better, of trials without a violation.

    violations: of each constraint, where it was violated.
    """

    values: tuple[tuple[float, ...], ...] = ()
    violations: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def including(self, trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> "Ranking":
        """With some more trials."""
        proper = [_signed(trial, directions) for trial in trials if trial.state == TrialState.COMPLETE and not _violated(trial)]
        before = self.values or ((),) * len(directions)
        values = tuple(tuple(sorted((*known, *(one[i] for one in proper)))) for i, known in enumerate(before))
        violations = dict(self.violations)
        for trial in trials:
            for name, excess in _violated(trial).items():
                violations[name] = tuple(sorted((*violations.get(name, ()), excess)))
        return Ranking(values, violations)

    def reward(self, trial: FrozenTrial, directions: Sequence[StudyDirection]) -> float:
        """Of one of these trials.

        Without a violation: minus the logarithm of the share of trials that are not worse (half of those that equal it): 0 for the worst,
        ln n for the best of n, so that among the best small differences count; with several objectives, of the mean of their shares.
        With one: in -1..0, in proportion to the excess where that is small, the mean over constraints. Pruned without one: -1.
        """
        if violated := _violated(trial):
            parts = (
                violated[name] / (violated[name] + known[len(known) // 2]) for name, known in self.violations.items() if name in violated
            )
            return -sum(parts) / max(1, len(trial.constraints))
        if trial.state == TrialState.PRUNED:
            return PRUNED
        shares = [
            (2 * len(known) + 1 - bisect_left(known, value) - bisect_right(known, value)) / (2 * len(known))
            for known, value in zip(self.values, _signed(trial, directions), strict=True)
        ]
        return -math.log(sum(shares) / len(shares))


def _violated(trial: FrozenTrial) -> dict[str, float]:
    """The excess of each violated constraint."""
    return {name: excess for name, excess in trial.constraints.items() if excess > 0}


def _signed(trial: FrozenTrial, directions: Sequence[StudyDirection]) -> list[float]:
    """Values of the objectives, greater is better."""
    return [value if way == StudyDirection.MAXIMIZE else -value for value, way in zip(trial.values, directions, strict=True)]
