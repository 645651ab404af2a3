"""The controller passes Optuna's own conformance suite, learns, and is a function of seed and history."""

import copy
import math
import pickle
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from gatewright.dse.samplers.controller import ControllerSampler, State
from gatewright.dse.samplers.policy import Policy
from gatewright.dse.samplers.reward import Ranking
from gatewright.hw.errors import BadInput

SPACE: dict[str, BaseDistribution] = {
    "kind": CategoricalDistribution(("a", "b", "c")),
    "width": IntDistribution(4, 24, step=4),
    "length": IntDistribution(1, 256, log=True),
    "share": FloatDistribution(0.0, 1.0, step=0.25),
    "rate": FloatDistribution(1e-4, 1.0, log=True),
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class TestConformance(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: ControllerSampler(0, generation=2)  # so small that learning begins within the suite's few trials


# What it learns


def ordered(count: int, length: int) -> tuple[dict[str, BaseDistribution], Callable[[dict[str, int]], float]]:
    """A chain: a choice is worth 1 if it is the one before it plus 1, and the first one if it is 0. The optimum is `length`."""
    names = [f"x{i}" for i in range(length)]

    def value(params: dict[str, int]) -> float:
        chain = [params[name] for name in names]
        return float((chain[0] == 0) + sum(b == (a + 1) % count for a, b in pairwise(chain)))

    return {name: CategoricalDistribution(range(count)) for name in names}, value


def best(sampler: BaseSampler, trials: int) -> float:
    space, value = ordered(4, 8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    found = 0.0
    for _ in range(trials):
        trial = study.ask(space)
        found = max(found, value(trial.params))
        study.tell(trial, value(trial.params))
    return found


def test_it_learns_and_without_a_learning_rate_it_does_not() -> None:
    def found(make: Callable[[int], BaseSampler]) -> float:
        return float(np.mean([best(make(seed), 320) for seed in range(3)]))

    controller = found(lambda seed: ControllerSampler(seed))
    assert controller >= found(RandomSampler) + 1
    assert controller >= found(lambda seed: ControllerSampler(seed, learning_rate=0)) + 1


def test_branches_of_a_conditional_space_are_learned() -> None:
    def objective(trial: Trial) -> float:
        if trial.suggest_categorical("deep", (True, False)):
            return 2 + float(trial.suggest_categorical("kind", range(8)) == 5)
        return trial.suggest_int("width", 0, 3) / 2

    study = optuna.create_study(direction="maximize", sampler=ControllerSampler(1, learning_rate=0.02))
    study.optimize(objective, n_trials=240)
    last = study.trials[-40:]
    assert sum(trial.params["deep"] for trial in last) >= 35  # at random: 20
    assert sum(trial.params.get("kind") == 5 for trial in last) >= 20  # 2.5


def test_two_objectives_and_a_constraint() -> None:
    """The best of both within the limit is known: x = 6, y = 0."""
    space: dict[str, BaseDistribution] = {"x": IntDistribution(0, 15), "y": IntDistribution(0, 15)}
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=ControllerSampler(2, learning_rate=0.02))
    for _ in range(320):
        trial = study.ask(space)
        trial.set_constraint("limit", trial.params["x"] - 6.0)
        study.tell(trial, [trial.params["x"], trial.params["y"]])
    last = study.trials[-40:]
    assert np.mean([trial.params["x"] <= 6 for trial in last]) > 0.8  # at random: 0.44
    assert np.mean([trial.params["y"] for trial in last]) < 4  # 7.5


# Seed and history decide


def value(params: dict[str, Any]) -> float:
    """Anything that depends on all of them."""
    numbers = [float(ord(one)) if isinstance(one, str) else float(one) for one in params.values()]
    return sum(math.sin(3 * i + number) for i, number in enumerate(numbers))


def sampler() -> ControllerSampler:
    return ControllerSampler(5, generation=6, hidden=16, learning_rate=0.05, imitation=0.5, kept=4)


def one_by_one(trials: int) -> Study:
    study = optuna.create_study(sampler=sampler())
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, value(trial.params))
    return study


def learned(study: Study, number: int) -> State:
    assert isinstance(study.sampler, ControllerSampler)
    return study.sampler.state(study, number)


def same(first: State, second: State) -> bool:
    return (
        first.policy.counts == second.policy.counts
        and all(torch.equal(tensor, second.policy.weights[name]) for name, tensor in first.policy.weights.items())
        and (first.baseline, first.spread, first.ranking) == (second.baseline, second.spread, second.ranking)
        and [trial.params for trial in first.best] == [trial.params for trial in second.best]
    )


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = one_by_one(40)
    for stop in (4, 9, 25, 40):  # in and between generations
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "log")))
        study = optuna.create_study(storage=storage, study_name="one", load_if_exists=True, sampler=sampler())
        while len(study.get_trials(deepcopy=False)) < stop:
            trial = study.ask(SPACE)
            study.tell(trial, value(trial.params))
    assert [trial.params for trial in study.trials] == [trial.params for trial in whole.trials]
    assert same(learned(study, 40), learned(whole, 40))


def test_the_order_of_telling_within_a_generation_does_not_matter() -> None:
    whole, orders = one_by_one(36), np.random.default_rng(0)
    study = optuna.create_study(sampler=sampler())
    for _ in range(6):
        asked = [study.ask(SPACE) for _ in range(6)]
        for i in orders.permutation(6):
            study.tell(asked[i], value(asked[i].params))
    assert [trial.params for trial in study.trials] == [trial.params for trial in whole.trials]
    assert same(learned(study, 36), learned(whole, 36))
    assert not same(learned(study, 36), learned(study, 30))


def test_a_late_trial_counts_as_if_it_had_been_in_time() -> None:
    whole = one_by_one(36)
    study = optuna.create_study(sampler=sampler())
    late = list[Trial]()
    for finished in whole.trials:
        study.enqueue_trial(finished.params)
        trial = study.ask(SPACE)
        if trial.number in (2, 3, 15):
            late.append(trial)
        else:
            study.tell(trial, value(trial.params))
    assert learned(study, 36).missing == {2, 3, 15}
    assert not same(learned(study, 36), learned(whole, 36))
    for together in ((late[2], late[0]), (late[1],)):
        for trial in together:
            study.tell(trial, value(trial.params))
        assert same(learned(study, 36), sampler().state(study, 36))  # what went on as what begins now
    assert same(learned(study, 36), learned(whole, 36))


def test_an_earlier_trial_is_drawn_from_what_was_known_then() -> None:
    study = one_by_one(96)
    for number in (96, 90, 6, 60, 0, 95):  # of 16 generations, more than are remembered
        assert same(learned(study, number), sampler().state(study, number))
        assert learned(study, number).generations == number // 6


def test_copies_and_pickles_draw_the_same() -> None:
    study = one_by_one(12)
    assert isinstance(study.sampler, ControllerSampler)
    for other in (copy.deepcopy(study.sampler), pickle.loads(pickle.dumps(study.sampler))):
        assert same(other.state(study, 12), learned(study, 12))
    assert study.sampler.state(one_by_one(6), 6).generations == 1  # another study, another state


def test_neither_threads_nor_random_states_are_touched() -> None:
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    whole = one_by_one(12)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    torch.manual_seed(4)
    assert [trial.params for trial in one_by_one(12).trials] == [trial.params for trial in whole.trials]


def test_learning_happens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    learn = Policy.learn

    def counted(self: Policy, *given: Any) -> Policy:
        steps.append(self.steps)
        return learn(self, *given)

    monkeypatch.setattr(Policy, "learn", counted)
    one_by_one(60)
    assert steps == list(range(9))  # of ten generations, the last has taught nobody yet


def test_rewards_are_seen_against_those_of_earlier_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: after the first generation, the baseline and the spread are what was known before it, moved by a quarter after each."""
    steps: list[tuple[list[float], float, float]] = []
    learn = Policy.learn

    def watched(self: Policy, tokens: torch.Tensor, advantages: torch.Tensor, rate: float, entropy: float, *rest: Any) -> Policy:
        steps.append((advantages.tolist(), rate, entropy))
        return learn(self, tokens, advantages, rate, entropy, *rest)

    monkeypatch.setattr(Policy, "learn", watched)
    rewards = (1.0, 3.0, 5.0, 9.0, 4.0, -2.0)
    how: dict[str, Any] = {"generation": 2, "decay": 0.75, "learning_rate": 0.02, "entropy": 0.3}
    study = optuna.create_study(sampler=ControllerSampler(0, reward=lambda study, trial: rewards[trial.number], **how))
    for _ in rewards:
        study.tell(study.ask(SPACE), 0.0)
    after = learned(study, 6)
    baselines, spreads = (2.0, 2.0, 0.75 * 2 + 0.25 * 7), (1.0, 0.75 * 1 + 0.25 * (9 + 49) / 2, 0.75 * 8 + 0.25 * (0.75**2 + 5.25**2) / 2)
    pairs = zip(rewards[::2], rewards[1::2], baselines, spreads, strict=True)
    expected = [[(one - base) / spread**0.5, (other - base) / spread**0.5] for one, other, base, spread in pairs]
    assert [advantages for advantages, *_ in steps] == [pytest.approx(pair) for pair in expected]
    assert {(rate, entropy) for _, rate, entropy in steps} == {(0.02, 0.3)}
    assert (after.baseline, after.spread) == pytest.approx((0.75 * 3.25 + 0.25 * 1, spreads[-1]))


def test_a_parameter_of_two_distributions_is_drawn_at_random() -> None:
    study = optuna.create_study(sampler=sampler())
    for high in (7, 7, 3, 7, 7, 7):
        study.tell(study.ask({"x": IntDistribution(0, high), "y": IntDistribution(0, 3)}), 0.0)
    known = learned(study, 6).decisions
    assert known["x"] is None
    assert known["y"] is not None


def test_the_best_different_trials_are_imitated() -> None:
    space: dict[str, BaseDistribution] = {name: SPACE[name] for name in ("kind", "share")}
    study = optuna.create_study(sampler=sampler())
    for _ in range(60):
        trial = study.ask(space)
        study.tell(trial, value(trial.params))
    values = {tuple(sorted(trial.params.items())): trial.values[0] for trial in study.trials}
    assert 4 < len(values) < 60  # some were drawn twice
    best = [tuple(sorted(trial.params.items())) for trial in learned(study, 60).best]
    assert best == sorted(values, key=lambda params: values[params])[:4]


# Rewards


def told(*given: tuple[float | Sequence[float], dict[str, float]], state: TrialState = TrialState.COMPLETE) -> list[FrozenTrial]:
    values = [(value,) if isinstance(value, float) else value for value, _ in given]
    return [create_trial(state=state, values=value, constraints=limits) for value, (_, limits) in zip(values, given, strict=True)]


def test_ranks_and_violations() -> None:
    ways = [StudyDirection.MINIMIZE]
    trials = told((1.0, {}), (9e9, {}), (2.0, {"energy": -1.0}), (2.0, {"energy": 0.0}), (0.0, {"energy": 2.0, "area": -1.0}))
    trials += told((0.0, {"energy": 6.0, "area": 1.0}), (0.0, {"energy": 2.0, "area": 0.0}))
    trials += [create_trial(state=TrialState.PRUNED), create_trial(state=TrialState.PRUNED, constraints={"energy": 6.0})]
    ranking = Ranking().including(trials[:3], ways).including(trials[3:], ways)
    rewards = [ranking.reward(trial, ways) for trial in trials]
    assert rewards[:4] == pytest.approx([math.log(4), 0, math.log(8 / 5), math.log(8 / 5)])  # 2, 8, 5 and 5 eighths are not worse
    assert rewards[4:] == [-(2 / 8) / 2, -(6 / 12 + 1 / 2) / 2, -(2 / 8) / 2, -1.0, -6 / 12]  # medians 6 and 1
    both = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    trials = told(([0.9, 5.0], {}), ([0.8, 1.0], {}), ([0.7, 9.0], {}))
    ranking = Ranking().including(trials, both)
    shares = [(1 + 2) / 6, (2 + 1) / 6, (3 + 3) / 6]
    assert [math.exp(-ranking.reward(trial, both)) for trial in trials] == pytest.approx(shares)


def test_a_reward_of_ones_own() -> None:
    """Pruned trials carry the excess above a budget; what gives None teaches nothing."""
    asked: list[int] = []

    def reward(study: Study, trial: FrozenTrial) -> float | None:
        asked.append(trial.number)
        return -trial.user_attrs["excess"] if trial.state == TrialState.PRUNED else None

    study = optuna.create_study(sampler=ControllerSampler(0, reward=reward, learning_rate=0.05))
    space: dict[str, BaseDistribution] = {"x": CategoricalDistribution(range(4))}
    for _ in range(160):
        trial = study.ask(space)
        if trial.params["x"] == 3:
            study.tell(trial, 0.0)
            continue
        trial.set_user_attr("excess", abs(trial.params["x"] - 1) / 10)
        study.tell(trial, state=TrialState.PRUNED if trial.number % 7 else TrialState.FAIL)
    assert sum(trial.params["x"] == 1 for trial in study.trials[-40:]) >= 25
    assert asked == [t.number for t in study.trials[:152] if t.state != TrialState.FAIL]

    study.sampler = ControllerSampler(0, reward=lambda study, trial: math.nan)
    with pytest.raises(BadInput, match="must be a finite number or None; trial 1 got nan"):
        study.ask(space)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed must be at least 0; got -1"),
        ({"bins": 1}, "bins must be at least 2; got 1"),
        ({"generation": 0}, "generation must be at least 1; got 0"),
        ({"learning_rate": -0.1}, "must not be negative"),
        ({"decay": 1.0}, "decay lies in"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ControllerSampler(**({"seed": 0} | wrong))
