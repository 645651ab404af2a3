"""The simulator's side of mutation testing: every test of a bench on every mutant, in one process, until a mutant's first failure.

Runs under cocotb; gatewright.sim.mutation starts it with a job file. Without a mutant each test shows how long it may take.
"""

import json
import os
import random
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import with_timeout

JOB = json.loads(Path(os.environ["GATEWRIGHT_MUTANTS"]).read_text())
PATIENCE = 3  # times what a test takes without a mutant, before it counts as one that does not end


def _tests() -> Iterator[Any]:
    for item in vars(import_module(JOB["bench"])).values():
        if hasattr(item, "generate_tests"):  # what cocotb.test makes of a function
            yield from item.generate_tests()


CASES = [test for test in _tests() if not test.skip]
durations: dict[int, float] = {}
left: dict[int, int] = {}  # tests that a mutant has not passed yet


def note(mutant: int, number: int) -> None:
    left[mutant] = number
    with Path(JOB["progress"]).open("a") as file:
        file.write(f"{mutant} {number}\n")


@cocotb.test()
@cocotb.parametrize(mutant=[0, *JOB["mutants"]], case=list(range(len(CASES))))
async def mutation(dut: Any, mutant: int, case: int) -> None:
    if case == 0:
        note(mutant, len(CASES))
    if left[mutant] != len(CASES) - case:
        return  # an earlier test failed: killed
    test = CASES[case]
    random.seed(test.fullname)  # the same numbers for every mutant
    dut.mutsel.value = mutant
    began = get_sim_time("ns")
    run = test.func(dut, *test.args, **test.kwargs)
    await (with_timeout(run, PATIENCE * durations[case] + 1, "ns") if mutant else run)
    durations.setdefault(case, get_sim_time("ns") - began)
    note(mutant, len(CASES) - case - 1)
