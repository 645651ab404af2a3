"""The search as an Optuna study that can be stopped at any moment and resumed without a trace.

Points are asked and told in generations of fixed size, in one order. Whatever the sampler draws is a pure function of the seed, the
trial's number and the trials told before, and a trial's outcome is recorded the moment it is known. So a resumed study equals an
uninterrupted one, and nothing is evaluated twice.
"""

import hashlib
import logging
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from gatewright.dse.config import Search
from gatewright.dse.evaluate import Outcome
from gatewright.dse.layered import Params
from gatewright.dse.samplers.controller import ControllerSampler
from gatewright.hw.errors import BadInput
from gatewright.sw.models import Architecture

Classify = Callable[[Params], Architecture]
"""The network of a choice; raises BadInput for an impossible one."""
Submit = Callable[[Executor, "Record", list["Record"]], "Future[Outcome]"]
"""Starts the evaluation of a trial, given those of earlier generations."""

NETWORK, OUTCOME, GENERATION = "architecture", "outcome", "generation"
TRIES = 20  # choices drawn for one point that is possible and new, before the space counts as exhausted


class Record:
    """A trial: its number, its network (None where the choice gives no new one) and its outcome (None while it runs)."""

    def __init__(self, trial: FrozenTrial) -> None:
        attributes = trial.user_attrs
        self.number, self.params, self.state = trial.number, dict(trial.params), trial.state
        self.generation: int = attributes.get(GENERATION, -1)
        self.architecture = Architecture.from_json(attributes[NETWORK]) if NETWORK in attributes else None
        self.outcome = Outcome.from_json(attributes[OUTCOME]) if OUTCOME in attributes else None

    def to_dict(self) -> dict[str, Any]:
        """Everything that makes the trial again, and what it gave, as JSON values."""
        return {
            "number": self.number,
            "generation": self.generation,
            "params": self.params,
            "architecture": self.architecture.model_dump(mode="json") if self.architecture else None,
            "outcome": self.outcome.model_dump(mode="json") if self.outcome else None,
        }


class Study:
    """A two-objective study (accuracy up, energy down) in a SQLite file."""

    def __init__(self, path: Path | str, search: Search, space: Mapping[str, BaseDistribution], name: str = "search") -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # a query that Ctrl-C ends logs a traceback of its cursor
        self.search, self.space = search, dict(space)
        storage = str(path) if "://" in str(path) else f"sqlite:///{path}"
        self.optuna = optuna.create_study(storage=storage, study_name=name, directions=["maximize", "minimize"], load_if_exists=True)

    def records(self) -> list[Record]:
        """Every trial, in ask order."""
        return [Record(trial) for trial in self.optuna.get_trials(deepcopy=False)]

    def run(
        self,
        pool: Executor,
        classify: Classify,
        submit: Submit,
        energy: Callable[[Outcome], float],
        least: float | None = None,
        progress: Callable[[Record], None] | None = None,
    ) -> list[Record]:
        """Go on until `search.trials` points are evaluated or the space has no new one. Returns every trial.

        energy: the second objective, of a trained point. least: the accuracy below which a network is no candidate.
        """
        while generation := self._ask(classify):
            self._evaluate(pool, submit, generation, progress)
            self._tell(generation, energy, least)
        return self.records()

    def _ask(self, classify: Classify) -> list[Record]:
        """The points of the generation in progress, or of the next one; those of them that are missing are asked for. Empty at the end."""
        records = self.records()
        proper = [r for r in records if r.architecture is not None]
        number = max((r.generation for r in proper), default=0)
        if not any(r.state == TrialState.RUNNING for r in proper) and proper:
            number += 1
        started = [r for r in proper if r.generation == number]
        size = min(self.search.generation, self.search.trials - (len(proper) - len(started)))
        seen = {r.architecture.content_hash: r.number for r in proper if r.architecture is not None}
        for record in records:  # asked, but interrupted before it was classified
            if record.state != TrialState.RUNNING or record.architecture is not None:
                continue
            if record.params.keys() != self.space.keys():  # killed in the middle of asking
                self.optuna.tell(record.number, state=TrialState.FAIL)
            else:
                self._classify(record.number, record.params, number, classify, seen)
        tries = 0
        while len(seen) < len(proper) - len(started) + size and tries < TRIES * size:
            tries += 1
            with uninterrupted():
                count = len(self.optuna.get_trials(deepcopy=False))
                self.optuna.sampler = self._sampler(count)
                trial = self.optuna.ask(fixed_distributions=self.space)
                self._classify(trial.number, trial.params, number, classify, seen)
        return [r for r in self.records() if r.architecture is not None and r.generation == number]

    def _sampler(self, number: int) -> BaseSampler:
        """The sampler that draws trial `number`; one that remembers what it learned stays."""
        kept = self.optuna.sampler
        return kept if isinstance(kept, ControllerSampler) else sampler(self.search, number)

    def _classify(self, number: int, params: Params, generation: int, classify: Classify, seen: dict[str, int]) -> None:
        """Give a trial its network, or tell at once why it has none."""
        try:
            network = classify(params)
        except BadInput as error:
            self._record(number, OUTCOME, Outcome(status="impossible", rule=str(error)).to_json())
            self.optuna.tell(number, state=TrialState.PRUNED)
            return
        if network.content_hash in seen:
            rule = f"the same network as trial {seen[network.content_hash]}"
            self._record(number, OUTCOME, Outcome(status="repeated", rule=rule).to_json())
            self.optuna.tell(number, state=TrialState.PRUNED)
            return
        self._record(number, GENERATION, generation)
        self._record(number, NETWORK, network.to_json())
        seen[network.content_hash] = number

    def _evaluate(self, pool: Executor, submit: Submit, generation: list[Record], progress: Callable[[Record], None] | None) -> None:
        """Evaluate what has no outcome yet; each outcome is stored as it comes."""
        before = [r for r in self.records() if r.outcome is not None and r.generation < generation[0].generation]
        running = {submit(pool, r, before): r for r in generation if r.outcome is None and r.architecture is not None}
        try:
            left = set(running)
            while left:
                done, left = wait(left, return_when=FIRST_COMPLETED)
                for future in done:
                    self._keep(running[future], future)
                    if progress:
                        progress(running[future])
        except BaseException:
            for future, record in running.items():
                if not future.cancel() and future.done() and not future.exception():
                    self._keep(record, future)  # finished while another one failed, or while we were interrupted
            raise

    def _keep(self, record: Record, future: "Future[Outcome]") -> None:
        if record.outcome is None:
            record.outcome = future.result()
            self._record(record.number, OUTCOME, record.outcome.to_json())

    def _tell(self, generation: list[Record], energy: Callable[[Outcome], float], least: float | None) -> None:
        """Tell the generation in ask order, after all of it is known. Networks below the accuracy `least` break a constraint."""
        for record in generation:
            outcome = record.outcome
            if record.state != TrialState.RUNNING or outcome is None:
                continue
            if outcome.accuracy is None:
                self.optuna.tell(record.number, state=TrialState.PRUNED)
                continue
            trial = self._trial(record.number)
            if least is not None and "accuracy" not in trial.constraints:  # a run that was stopped here has set it
                trial.set_constraint("accuracy", least - outcome.accuracy.value)
            self.optuna.tell(record.number, [outcome.accuracy.value, energy(outcome)])

    def _trial(self, number: int) -> Trial:
        """A trial by its number, whichever process asked for it."""
        return Trial(self.optuna, self.optuna.get_trials(deepcopy=False)[number]._trial_id)

    def _record(self, number: int, key: str, value: str | int) -> None:
        self._trial(number).set_user_attr(key, value)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Interrupts wait for the end of the block: a trial that is half asked could not be finished as it began."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before = {number: handler for number, handler in handlers.items() if callable(handler)}
        for number in before:
            signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def sampler(search: Search, number: int) -> BaseSampler:
    """The sampler that draws trial `number`: its random state depends on the seed and that number alone."""
    if search.sampler == "controller":
        return ControllerSampler(search.seed, generation=search.generation)
    seed = int.from_bytes(hashlib.sha256(f"{search.seed}:{number}".encode()).digest()[:4], "big")
    if search.sampler == "random":
        return RandomSampler(seed=seed)
    if search.sampler == "nsga2":
        return NSGAIISampler(seed=seed, population_size=search.generation)
    return TPESampler(seed=seed, n_startup_trials=2 * search.generation, multivariate=True)


def tally(records: list[Record]) -> dict[str, int]:
    """How many trials ended how."""
    return dict(Counter(r.outcome.status for r in records if r.outcome is not None))
