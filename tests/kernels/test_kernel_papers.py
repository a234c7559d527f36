"""What is known of the periodic kernels of the papers: position densities, mean KSS, balance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from energysim.kernels import PeriodicKernel

# Written out by hand from the description, not with the code of the scheme.
FULL = tuple(range(9))
CORNERS = [(0, 1, 3, 4), (1, 2, 4, 5), (3, 4, 6, 7), (4, 5, 7, 8)]
PAIRS = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8)]
SINGLES = [(n,) for n in range(9)]
SLOTS = {
    "PS4_P4": CORNERS,
    "PS2_P6": PAIRS,
    "PS1_P9": SINGLES,
    "PSD4_P8": [FULL, *CORNERS, *CORNERS[:3]],
    "PSD4_P16": [FULL, *CORNERS * 3, *CORNERS[:3]],
    "PSD2_P8": [FULL, *PAIRS, PAIRS[0]],
    "PSD2_P16": [FULL, *PAIRS * 2, *PAIRS[:3]],
    "PSD1_P8": [FULL, *SINGLES[:7]],
    "PSD1_P16": [FULL, *SINGLES, *SINGLES[:6]],
}
MEAN_KSS = {
    "PS4_P4": "4",
    "PS2_P6": "2",
    "PS1_P9": "1",
    "PSD4_P8": "4.625",
    "PSD4_P16": "4.3125",
    "PSD2_P8": "2.875",
    "PSD2_P16": "2.4375",
    "PSD1_P8": "2",
    "PSD1_P16": "1.5",
}


def kernel(name, m, c):
    return PeriodicKernel((m, c, 3, 3), tuple(SLOTS[name]))


@pytest.mark.parametrize("name", SLOTS)
def test_mean_kss(name):
    found = kernel(name, 144, 144)
    assert Fraction(found.nonzeros, 144 * 144) == Fraction(MEAN_KSS[name])
    p, n = len(SLOTS[name]), len(SLOTS[name][1])
    if "D" in name:
        assert Fraction(MEAN_KSS[name]) == Fraction(n * (p - 1) + 9, p)


@pytest.mark.parametrize(
    ("name", "densities"),
    [
        ("PSD4_P8", [0.375, 0.625, 0.375, 0.625, 1, 0.5, 0.375, 0.5, 0.25]),
        ("PSD4_P16", [0.3125, 0.5625, 0.3125, 0.5625, 1, 0.5, 0.3125, 0.5, 0.25]),
        ("PSD2_P8", [0.375, 0.5, 0.25, 0.25, 0.375, 0.25, 0.25, 0.375, 0.25]),
    ],
)
def test_position_densities(name, densities):
    assert kernel(name, 64, 64).mask().mean(axis=(0, 1)).reshape(-1).tolist() == densities


@pytest.mark.parametrize("name", SLOTS)
@pytest.mark.parametrize("m", [1, 7, 64])
def test_channels_in_whole_periods_give_every_filter_the_same_weights(name, m):
    p = len(SLOTS[name])
    for times in (1, 3):
        assert len(kernel(name, m, times * p).weights_per_filter()) == 1
    if "D" in name:
        assert len(kernel(name, 64, p + 1).weights_per_filter()) > 1


@pytest.mark.parametrize("name", SLOTS)
@pytest.mark.parametrize(("m", "c"), [(64, 64), (64, 3), (5, 144), (144, 5)])
def test_mean_holds_where_the_period_divides_an_axis(name, m, c):
    found, p = kernel(name, m, c), len(SLOTS[name])
    if m % p == 0 or c % p == 0 or len({len(slot) for slot in SLOTS[name]}) == 1:
        assert found.nonzeros == m * c * Fraction(MEAN_KSS[name])


@pytest.mark.parametrize("name", ["PSD4_P8", "PSD4_P16", "PSD2_P8", "PSD1_P16"])
def test_full_windows_lie_on_anti_diagonals(name):
    p = len(SLOTS[name])
    full = kernel(name, 64, 64).mask().all(axis=(2, 3))
    assert {int(f + c) % p for f, c in np.argwhere(full)} == {p - 1}
    assert full.sum() == 64 * 64 // p


@pytest.mark.parametrize("name", SLOTS)
def test_supports_cover_the_kernel(name):
    assert kernel(name, 16, 16).mask().any(axis=(0, 1)).all()


def test_patterns():
    counts = {name: kernel(name, 64, 64).distinct_patterns for name in SLOTS}
    assert counts == {
        "PS4_P4": 4,
        "PS2_P6": 6,
        "PS1_P9": 9,
        "PSD4_P8": 5,
        "PSD4_P16": 5,
        "PSD2_P8": 7,
        "PSD2_P16": 7,
        "PSD1_P8": 8,
        "PSD1_P16": 10,
    }
