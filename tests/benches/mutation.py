"""`make mutation`: the mutants of every block against its bench, a line for each block, exit status 1 under a threshold."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from gatewright.sim.mutation import Score, mutate, passes, table
from tests.benches.blocks import BLOCKS, TOP

SEED = 1
PROOF_S = 10.0


def score(name: str, mutants: int | None) -> Score:
    block = BLOCKS[name]
    proof_s = 0.0 if block.design else PROOF_S  # a whole system is too large for the prover
    return mutate(
        block.build(), block.module, mutants or block.mutants, SEED, top=TOP, environment=block.environment(name), seconds=proof_s
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blocks", nargs="*", help="all if none is named")
    parser.add_argument("--mutants", type=int, help="so many of each block")
    parser.add_argument("--threshold", type=float, help="the least score, of each block")
    given = parser.parse_args()
    names = given.blocks or list(BLOCKS)
    began = time.monotonic()
    scores = {}
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for name, found in zip(names, pool.map(partial(score, mutants=given.mutants), names), strict=True):
            scores[name] = found
            print(f"{len(scores)} of {len(names)}: {name}: {found.value:.1%}", file=sys.stderr, flush=True)
    thresholds = {name: BLOCKS[name].threshold if given.threshold is None else given.threshold for name in names}
    print("\n".join(table(scores, thresholds)))
    print(f"{time.monotonic() - began:.0f} s in all; seed {SEED}, each proof at most {PROOF_S:.0f} s for each method.")
    return 0 if passes(scores, thresholds) else 1


if __name__ == "__main__":
    sys.exit(main())
