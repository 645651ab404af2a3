"""Sums and counts as circuits."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from gatewright.hw.ranges import range_bits


def lane_ports(encoded: tuple[int, int], sums: tuple[int, int]) -> dict[str, object]:
    """Ports of an operator's lanes: the encoded words of `encoded` bits (activation, weight) and a sum that holds low..high."""
    return {"activation": In(encoded[0]), "weight": In(encoded[1]), "sum": Out(signed(range_bits(*sums)))}


def balanced_sum(terms: Sequence[Value]) -> Value:
    """The exact sum, added pairwise so that the depth is logarithmic."""
    terms = list(terms)
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + (terms[-1:] if len(terms) % 2 else [])
    return terms[0]


def popcount(m: Module, bits: Sequence[Value]) -> Value:
    """The number of ones, by full adders: each takes three bits of one weight and gives one of it and one of the next."""
    columns: list[list[Value]] = [list(bits)]
    index = 0
    while index < len(columns):
        column = columns[index]
        while len(column) > 1:
            if index + 1 == len(columns):
                columns.append([])
            a, b = column.pop(0), column.pop(0)
            total, carry = Signal(), Signal()
            if column:
                c = column.pop(0)
                m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
            else:
                m.d.comb += [total.eq(a ^ b), carry.eq(a & b)]
            column.append(total)
            columns[index + 1].append(carry)
        index += 1
    return Cat(*(column[0] for column in columns))
