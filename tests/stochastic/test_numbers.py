"""Number sequences against SciPy's Sobol points and the definition of a maximal register; wrong taps are noticed."""

import numpy as np
import pytest
from scipy.stats import qmc

from gatewright.hw.errors import BadInput
from gatewright.hw.stochastic.numbers import DIMENSIONS, TAPS, lfsr, reciprocal, sobol, thermometer
from gatewright.hw.stochastic.sharing import Rotation, Sharing, rotate, rotation
from gatewright.hw.stochastic.sources import Lfsr, Sobol
from tests.stochastic.player import play

BITS = 10


def full_period(bits: int, taps: int) -> bool:
    return sorted(lfsr(bits, (1 << bits) - 1, taps)) == list(range((1 << bits) - 1))


@pytest.mark.parametrize("bits", sorted(TAPS))
def test_registers_are_maximal(bits: int) -> None:
    assert full_period(bits, TAPS[bits])
    assert full_period(bits, reciprocal(TAPS[bits], bits))


def test_a_wrong_tap_is_noticed() -> None:
    """Of the sets of taps that differ in one place, none of 8 bits is maximal."""
    assert not any(full_period(8, TAPS[8] ^ (1 << wrong)) for wrong in range(7))


def test_sobol_dimensions_are_scipys() -> None:
    """SciPy gives the points in the order of Gray codes (its direction numbers are Joe and Kuo's)."""
    points = (qmc.Sobol(DIMENSIONS, scramble=False, bits=BITS).random(1 << BITS) * (1 << BITS)).astype(int)
    index = np.arange(1 << BITS)
    for dimension in range(1, DIMENSIONS + 1):
        mine = np.array(sobol(BITS, dimension, 1 << BITS))
        np.testing.assert_array_equal(mine[index ^ index >> 1], points[:, dimension - 1])


def test_a_thermometer_spreads_its_cycles() -> None:
    assert thermometer(3, 4) == [1, 3, 5, 7]
    assert thermometer(2, 8) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_rotation_of_levels() -> None:
    assert [rotate(0b0011, 4, Rotation(left)) for left in range(5)] == [0b0011, 0b0110, 0b1100, 0b1001, 0b0011]
    assert rotate(0b0011, 4, Rotation(1, 0b1000)) == 0b1110
    np.testing.assert_array_equal(rotate(np.arange(16), 4, Rotation(4)), np.arange(16))


@pytest.mark.parametrize("side", ["activation", "weight"])
def test_the_grids_rotations_permute_the_numbers(side: str) -> None:
    for bits in range(3, 9):
        assert len({rotation("lfsr", bits, side, group).left for group in range(bits)}) == bits
        assert len({rotation("sobol", bits, side, group).mask for group in range(4)}) == 4
        for group in range(8):
            turned = rotate(np.arange(1 << bits), bits, rotation("sobol", bits, side, group))
            assert sorted(turned) == list(range(1 << bits))


@pytest.mark.parametrize(("bits", "taps", "seed"), [(4, None, 1), (8, None, 77), (8, reciprocal(TAPS[8], 8), 1)])
def test_the_register_plays_its_sequence(bits: int, taps: int | None, seed: int) -> None:
    played = play(Lfsr(bits, taps, seed), ("level",), 40)["level"]
    assert played.tolist() == [number + 1 for number in lfsr(bits, 40, taps, seed)]
    assert played.tolist() != [number + 1 for number in lfsr(bits, 40, TAPS[bits] ^ 2, seed)]


def test_sobol_numbers_of_an_index() -> None:
    dimensions = (1, 2, 5, 16)
    block = Sobol(6, dimensions, 8)
    played = play(block, ("numbers",), 80, index=np.arange(80))["numbers"]
    np.testing.assert_array_equal(played, np.array([sobol(6, dimension, 80) for dimension in dimensions]).T)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "sobol", "comparators": 17}, "There are 16 Sobol dimensions; these comparators need 17"),
        ({"source": "counter", "length": 24}, "A counter is one source over a power of two of cycles; got 1 sources and length 24"),
        ({"source": "counter", "comparators": 2, "length": 16}, "A counter is one source .* got 2 sources"),
        ({"source": "lfsr", "rotations": (Rotation(mask=1),)}, "A register's levels cannot be inverted by a mask"),
        ({"sharing": 0}, "comparators, sharing and the number of rotations are at least 1"),
    ],
)
def test_impossible_sharing_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Sharing(**({"source": "lfsr", "bits": 8, "comparators": 1} | fields))


def test_sources_of_a_row_differ() -> None:
    plan = Sharing("lfsr", 8, 64)
    assert len({plan.seed(source) for source in range(64)}) == 64
    assert len({tuple(plan.levels(group, 20)) for group in range(64)}) == 64
