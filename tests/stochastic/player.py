"""Plays a block cycle by cycle in Amaranth's simulator."""

import numpy as np
from amaranth.lib import wiring
from amaranth.sim import Simulator

PERIOD = 1e-6


def packed(bits: np.ndarray) -> np.ndarray:
    """Streams bool [N, L] as words, int [L], stream 0 lowest."""
    return (bits.astype(np.int64) << np.arange(len(bits))[:, None]).sum(axis=0)


def unpacked(words: np.ndarray, number: int) -> np.ndarray:
    """Words int [L] as streams bool [N, L]."""
    return (np.asarray(words) >> np.arange(number)[:, None]) & 1 == 1


def play(block: wiring.Component, outputs: tuple[str, ...], cycles: int, /, **inputs: object) -> dict[str, np.ndarray]:
    """The outputs in each of `cycles` cycles, int [L] each, played twice from a restart (both rounds must agree).

    An input is an array of one word a cycle, a number for all cycles, or a list of numbers for an array of ports. Blocks with `advance`
    also see every seventh cycle twice, the first time without it.
    """
    rounds: list[dict[str, list[object]]] = []
    pauses, restarts = "advance" in block.signature.members, "restart" in block.signature.members

    async def bench(context: object) -> None:
        for _ in range(2):
            rounds.append({name: [] for name in outputs})
            for t in range(cycles):
                for name, value in inputs.items():
                    port = getattr(block, name)
                    if isinstance(value, list):
                        for signal, number in zip(port, value, strict=True):
                            context.set(signal, number)
                    else:
                        context.set(port, int(value[t]) if isinstance(value, np.ndarray) else value)
                if restarts:
                    context.set(block.restart, t == 0)
                for advance in (0, 1) if pauses and t % 7 == 0 else (1,):
                    if pauses:
                        context.set(block.advance, advance)
                    if advance:
                        for name in outputs:
                            port = getattr(block, name)
                            many = isinstance(port, tuple | list) or not hasattr(port, "shape")
                            rounds[-1][name].append([context.get(part) for part in port] if many else context.get(port))
                    await context.delay(PERIOD)

    simulator = Simulator(block)
    simulator.add_clock(PERIOD, if_exists=True)
    simulator.add_testbench(bench)
    simulator.run()
    assert rounds[0] == rounds[1]
    return {name: np.array(values) for name, values in rounds[0].items()}
