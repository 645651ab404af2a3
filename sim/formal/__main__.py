"""`make formal`: tries to prove every claim and prints one table. Exit status 1 if one is refuted, or undecided and not known to be.

python -m gatewright.sim.formal [PART ...] [--seconds N]     PART: blocks, operators, invariants; all of them by default
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from gatewright.sim.formal import blocks, operators, properties
from gatewright.sim.formal.claim import Claim, judge

PARTS: dict[str, Callable[[], Iterator[Claim]]] = {
    "invariants": properties.claims,
    "blocks": lambda: (claim for name in blocks.CONFIGS for claim in blocks.claims(name)),
    "operators": operators.claims,
}
KNOWN_UNDECIDED = frozenset(
    {("lanes0 (streams)", "gates equal Verilog"), ("lanes0_0 (split)", "gates equal Verilog")}
)  # see docs/formal.md
ROW = "{:34} {:34} {:14} {:36} {:10} {:>7}"


def main() -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gatewright.sim.formal", description="Proofs about Gatewright's circuits.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seconds", type=float, default=60.0, help="what each method may take for each claim")
    chosen = parser.parse_args()
    if unknown := [part for part in chosen.parts if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; parts are {', '.join(PARTS)}")
    counts = {"proved": 0, "bounded": 0, "refuted": 0, "undecided": 0}
    bad = False
    print(ROW.format("block", "claim", "size", "method", "result", "seconds"), flush=True)
    for part in chosen.parts or PARTS:
        for claim in PARTS[part]():
            verdict = judge(claim, chosen.seconds)
            counts[verdict.result] += 1
            known = verdict.result == "undecided" and (claim.block, claim.says) in KNOWN_UNDECIDED
            bad = bad or (verdict.result in ("refuted", "undecided") and not known)
            row = ROW.format(claim.block, claim.says, claim.size, verdict.method, verdict.result, f"{verdict.seconds:.1f}")
            print(f"{row}\n    {verdict.note}" if verdict.note else row, flush=True)
    print(", ".join(f"{number} {result}" for result, number in counts.items()))
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
