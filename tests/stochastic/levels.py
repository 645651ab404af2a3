"""What the grid's streams are compared with at each time, by the words of docs/stochastic.md."""

from functools import cache

from gatewright.hw.stochastic import numbers

SPREAD = {"activation": 0x91E10DA5, "weight": 0xC13FA9A9}


@cache
def level(source: str, bits: int, side: str, length: int, group: int, t: int) -> int:
    """What a value is compared with (value > level) in a group of lanes, by the words of docs/stochastic.md."""
    number = numbers.sequence(source, bits, side, length)[t]  # held to their definitions in test_numbers.py
    if source == "lfsr":
        text = format(number + 1, f"0{bits}b")
        turn = group % bits if side == "activation" else -group % bits
        return int(text[turn:] + text[:turn], 2) - 1
    if source == "counter" and side == "activation":
        return number
    return number ^ (group * SPREAD[side] % 2**32 >> 32 - bits)
