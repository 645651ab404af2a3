"""An LSTM controller that learns by REINFORCE which choices pay, as a sampler of any Optuna study.

Trials belong to generations by their number: trial n to generation n // `generation`. It is drawn from what the finished trials of all
generations before its own have taught, one generation after the other, with numbers drawn from the seed and n alone. So
what is drawn depends on the seed and the history and nothing else: not on the order in which the trials of a generation are told, nor on
whether they run side by side or one by one, nor on the process, which learns again what it does not remember.

A trial that still runs teaches nothing yet. When it ends, its generation and those after it are learned again with it: a trial that
was lost stops nobody, and one that is late counts as if it had been in time.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from gatewright.dse.samplers.decisions import Decision
from gatewright.dse.samplers.policy import ABSENT, Policy
from gatewright.dse.samplers.reward import Ranking
from gatewright.hw.errors import BadInput

Reward = Callable[[Study, FrozenTrial], float | None]
REMEMBERED = 8  # generations to which a controller can return without learning anew


@dataclass(frozen=True)
class State:
    """What is learned from the first `generations`. decisions: None for a parameter that had several distributions.

    baseline, spread: moving averages of rewards and of their squared distance from the baseline. missing: trials that still ran.
    best: the trials to imitate, the best first.
    """

    policy: Policy
    generations: int = 0
    decisions: dict[str, Decision | None] = field(default_factory=dict)
    ranking: Ranking = field(default_factory=Ranking)
    baseline: float | None = None
    spread: float = 0.0
    missing: frozenset[int] = frozenset()
    best: tuple[FrozenTrial, ...] = ()


class ControllerSampler(BaseSampler):
    """Draws the parameters of a trial one after the other from an LSTM, in the order of their names.

    The relative search space is the union of what trials had, not the intersection: so the parameters that only some branches of a
    conditional space have are learned too (what is drawn for a branch that is not taken is thrown away). The rest is drawn at random:
    the first generation, new parameters, and those whose distribution changes.

    reward: of a finished trial (complete or pruned), None for one that teaches nothing; it must depend on the trial alone. Only
    differences count: scale and zero do not matter. Without it, `Ranking.reward`: from ranks of the objectives, by their directions;
    below that of any trial without a violation for one that violates a constraint; least for one that was pruned without a violation.
    Failed trials teach nothing.
    generation: trials from which one step is learned. hidden: units of the LSTM. decay: of the moving averages, of one generation.
    entropy: weight of the entropy bonus, in nats, against rewards scaled to a deviation of one. bins: tokens of a number, at most.
    imitation: weight of the likelihood of the best `kept` different trials so far (priority queue training, Abolafia et al., arXiv
    1801.03526), for searches of a few hundred trials; 0 is plain REINFORCE, which finds more in the long run.
    """

    def __init__(
        self,
        seed: int,
        *,
        reward: Reward | None = None,
        generation: int = 8,
        hidden: int = 64,
        learning_rate: float = 0.015,
        decay: float = 0.8,
        entropy: float = 0.2,
        bins: int = 16,
        imitation: float = 0.0,
        kept: int = 16,
    ) -> None:
        least = {"seed": (seed, 0), "generation": (generation, 1), "hidden": (hidden, 1), "bins": (bins, 2), "kept": (kept, 1)}
        for name, (value, bound) in least.items():
            if value < bound:
                raise BadInput(f"ControllerSampler: {name} must be at least {bound}; got {value}.")
        if not (learning_rate >= 0 and entropy >= 0 and imitation >= 0 and 0 <= decay < 1):
            raise BadInput(
                "ControllerSampler: learning_rate, entropy and imitation must not be negative, and decay lies in [0, 1); "
                f"got {learning_rate}, {entropy}, {imitation} and {decay}."
            )
        self.seed, self.reward, self.generation, self.bins = seed, reward, generation, bins
        self.hidden, self.learning_rate, self.decay, self.entropy = hidden, learning_rate, decay, entropy
        self.imitation, self.kept = imitation, kept
        self._forget()

    def _forget(self) -> None:
        self._states: WeakKeyDictionary[Study, list[State]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        decisions = self.state(study, trial.number).decisions
        return {name: decision.distribution for name, decision in sorted(decisions.items()) if decision is not None}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        state, draw = self.state(study, trial.number), np.random.default_rng([self.seed, trial.number])
        known = {name: d for name, d in state.decisions.items() if d is not None and search_space.get(name) == d.distribution}
        tokens = state.policy.draw(draw, set(known))
        chosen = {name: known[name].value(token, draw) for name, token in tokens.items()}
        rest = (name for name in search_space if name not in known)
        return chosen | {name: self.sample_independent(study, trial, name, search_space[name]) for name in rest}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        seed = np.random.default_rng([self.seed, trial.number, *param_name.encode()]).integers(1 << 32)
        return RandomSampler(seed=int(seed)).sample_independent(study, trial, param_name, param_distribution)

    def state(self, study: Study, number: int) -> State:
        """What trial `number` of a study is drawn from."""
        wanted = number // self.generation
        with self._lock:
            states = self._states.setdefault(study, [State(Policy(self.seed, self.hidden))])
            if any(state.generations == wanted and not state.missing for state in states):
                return next(state for state in states if state.generations == wanted)  # nothing can change it any more
            trials = study.get_trials(deepcopy=False)
            late = [t.number for t in trials if t.number in states[-1].missing and t.state.is_finished()] if states[-1].missing else []
            states[1:] = [state for state in states[1:] if state.generations * self.generation <= min(late, default=math.inf)]
            known = [state for state in states if state.generations <= wanted]
            if known[-1].generations < wanted:
                states[:] = known
            first, end = known[-1].generations * self.generation, wanted * self.generation
            left = sorted((t for t in _since(trials, first) if t.number < end), key=lambda trial: trial.number)
            for place in range(known[-1].generations, wanted):
                states.append(self._learned(study, states[-1], [t for t in left if t.number // self.generation == place]))
            del states[1:-REMEMBERED]
            return next(state for state in states if state.generations == wanted)

    def _learned(self, study: Study, before: State, trials: Sequence[FrozenTrial]) -> State:
        """After the next generation, of which these are the trials."""
        told = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        running = before.missing.union(trial.number for trial in trials if not trial.state.is_finished())
        after = replace(before, generations=before.generations + 1, missing=running, decisions=self._joined(before.decisions, told))
        if self.reward is None:
            after = replace(after, ranking=before.ranking.including(told, study.directions))
        rewards = [self._reward(study, trial, after.ranking) for trial in told]
        taught = [(trial, reward) for trial, reward in zip(told, rewards, strict=True) if reward is not None]
        decisions = {name: decision for name, decision in after.decisions.items() if decision is not None}
        policy = before.policy.deciding({name: decision.count for name, decision in decisions.items()})
        if self.imitation:
            after = replace(after, best=self._best(study, (*before.best, *(trial for trial, _ in taught)), after.ranking))
        if not taught or not decisions:
            return replace(after, policy=policy)

        def tokens(trials: Sequence[FrozenTrial]) -> torch.Tensor:
            names = policy.counts
            return torch.tensor([[decisions[n].token(t.params[n]) if n in t.params else ABSENT for n in names] for t in trials])

        given = np.array([reward for _, reward in taught])
        baseline = float(given.mean()) if before.baseline is None else before.baseline
        excess = given - baseline
        keep = 0.0 if before.baseline is None else self.decay
        spread = keep * before.spread + (1 - keep) * float((excess**2).mean())
        advantages = torch.tensor(excess / math.sqrt(spread) if spread > 0 else excess, dtype=torch.float32)
        return replace(
            after,
            policy=policy.learn(
                tokens([trial for trial, _ in taught]), advantages, self.learning_rate, self.entropy, tokens(after.best), self.imitation
            ),
            baseline=keep * baseline + (1 - keep) * float(given.mean()),
            spread=spread,
        )

    def _best(self, study: Study, trials: Sequence[FrozenTrial], ranking: Ranking) -> tuple[FrozenTrial, ...]:
        """The best of some trials with different parameters, the earlier of equals first."""
        rewards = {trial.number: self._reward(study, trial, ranking) or 0.0 for trial in trials}
        ordered, different = sorted(trials, key=lambda trial: (-rewards[trial.number], trial.number)), dict[Any, FrozenTrial]()
        for trial in ordered:
            different.setdefault(tuple(sorted(trial.params.items())), trial)
        return tuple(different.values())[: self.kept]

    def _joined(self, decisions: dict[str, Decision | None], trials: Sequence[FrozenTrial]) -> dict[str, Decision | None]:
        """With the decisions of some more trials."""
        joined = dict(decisions)
        for trial in trials:
            for name, distribution in trial.distributions.items():
                if distribution.single():
                    continue
                if name not in joined:
                    joined[name] = Decision(distribution, self.bins)
                elif (known := joined[name]) is not None and known.distribution != distribution:
                    joined[name] = None
        return joined

    def _reward(self, study: Study, trial: FrozenTrial, ranking: Ranking) -> float | None:
        reward = ranking.reward(trial, study.directions) if self.reward is None else self.reward(study, trial)
        if reward is not None and not math.isfinite(reward):
            raise BadInput(f"ControllerSampler: the reward of a trial must be a finite number or None; trial {trial.number} got {reward}.")
        return reward


def _since(trials: Sequence[FrozenTrial], number: int) -> list[FrozenTrial]:
    """Trials with at least this number, of trials in the order of their numbers."""
    return list(takewhile(lambda trial: trial.number >= number, reversed(trials)))
