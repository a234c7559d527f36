"""Candidate tiles and the inputs they need."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from energysim.mapping import Rules
from energysim.mapping.axes import axis_table, candidate_tiles, tile_inputs
from energysim.windows import Axis

from .brute_force import needed
from .random_layers import random_axis, random_rules


@pytest.mark.parametrize("size", [*range(1, 80), 112, 224, 997, 1000, 4096, 25088])
def test_a_candidate_per_trip_count(size: int) -> None:
    tiles = candidate_tiles(size, divisors=False).tolist()
    trips = [-(-size // tile) for tile in tiles]
    assert trips == sorted({-(-size // tile) for tile in range(1, size + 1)})
    for tile in tiles:
        assert tile == 1 or -(-size // (tile - 1)) > -(-size // tile), "a smaller tile has as few trips"
    even = candidate_tiles(size, divisors=True).tolist()
    assert even == [tile for tile in range(size, 0, -1) if size % tile == 0]


def test_candidates_of_a_huge_dimension_are_few() -> None:
    assert len(candidate_tiles(10**10, divisors=False)) < 2 * 10**5 + 1


def test_three_by_three_with_padding() -> None:
    # 5 outputs, 5 inputs, padding 1. Tiles of 2: outputs 01 | 23 | 4 need inputs 012 | 1234 | 34.
    found = tile_inputs(Axis(5, 5, 3, 1, 1, 1), np.array([5, 2, 1]), Rules())
    assert found.trips.tolist() == [1, 3, 5]
    assert found.alone.tolist() == [5, 3 + 4 + 2, 2 + 3 + 3 + 3 + 2]
    assert found.swept.tolist() == [5, 5, 5]
    assert found.largest.tolist() == [5, 4, 3]
    # With padding as data: 7 rows; each tile has 2 rows more than outputs.
    found = tile_inputs(Axis(5, 5, 3, 1, 1, 1), np.array([5, 2, 1]), Rules(padding="fetched"))
    assert found.alone.tolist() == [7, 4 + 4 + 3, 15]
    assert found.swept.tolist() == [7, 7, 7]
    assert found.largest.tolist() == [7, 4, 3]


def test_strides_above_the_window_leave_inputs_out() -> None:
    # 1x1, stride 3: outputs 0..3 at inputs 0, 3, 6, 9 of 12.
    axis = Axis(4, 12, 1, 3)
    found = tile_inputs(axis, np.array([4, 2, 1]), Rules())
    assert found.alone.tolist() == found.swept.tolist() == [4, 4, 4]
    assert found.largest.tolist() == [4, 2, 1]
    # Fetched with the tile: 0..9, or 0..3 and 6..9, or single ones.
    found = tile_inputs(axis, np.array([4, 2, 1]), Rules(untouched="fetched"))
    assert found.alone.tolist() == found.swept.tolist() == [10, 4 + 4, 4]
    assert found.largest.tolist() == [10, 4, 1]


def test_only_the_tile_before_is_remembered() -> None:
    # Dilation 2: output o needs o, o+2, o+4. Single outputs share nothing with the one before.
    axis = Axis(4, 8, 3, 1, 2)
    found = tile_inputs(axis, np.array([4, 2, 1]), Rules())
    assert found.alone.tolist() == [8, 6 + 6, 12]
    assert found.swept.tolist() == [8, 6 + 2, 12]


def test_a_larger_tile_with_as_many_trips_is_kept_if_it_needs_less() -> None:
    # Transposed, window 2, stride 2: outputs 2i and 2i+1 need input i. Two trips of 6 outputs:
    # tiles of 3 cut an input's pair (inputs 0 1 | 1 2), tiles of 4 do not (0 1 | 2).
    axis = Axis(6, 3, 2, 2, transposed=True)
    table = axis_table(axis, Rules())
    found = list(zip(table.tiles.tolist(), table.trips.tolist(), table.alone.tolist(), strict=True))
    assert found == [(6, 1, 3), (4, 2, 3), (3, 2, 4), (2, 3, 3), (1, 6, 6)]
    # Five taps, padding 2: the last output needs fewer inputs, so tiles of 6 + 1 share less than 4 + 3.
    table = axis_table(Axis(7, 7, 5, 1, 1, 2), Rules())
    found = list(zip(table.tiles.tolist(), table.alone.tolist(), strict=True))
    assert (6, 7 + 3) in found and (4, 6 + 5) in found and (5, 11) not in found


def test_windows_all_in_the_padding_need_nothing() -> None:
    axis = Axis(3, 1, 1, 1, 1, 1)
    assert axis_table(axis, Rules()).alone.max() == 1
    assert axis_table(axis, Rules(padding="fetched")).alone.tolist() == [3, 3, 3]


@pytest.mark.parametrize("seed", range(40))
def test_every_tile_against_sets(seed: int) -> None:
    draw = Random(seed)
    axis, rules = random_axis(draw, 12, draw.random() < 0.3), random_rules(draw)
    sizes = np.arange(1, axis.outputs + 1)
    found = tile_inputs(axis, sizes, rules)
    for tile in sizes.tolist():
        cuts = [range(a, min(a + tile, axis.outputs)) for a in range(0, axis.outputs, tile)]
        sets = [needed(axis, cut, rules) for cut in cuts]
        lacking = [new - old for old, new in zip([set(), *sets], sets, strict=False)]
        assert found.alone[tile - 1] == sum(map(len, sets))
        assert found.swept[tile - 1] == sum(map(len, lacking))
        assert found.largest[tile - 1] == max(map(len, sets))


@pytest.mark.parametrize("seed", range(40))
def test_no_tile_outside_the_candidates_is_better(seed: int) -> None:
    draw = Random(seed)
    axis, rules = random_axis(draw, 14, draw.random() < 0.3), Rules()
    table = axis_table(axis, rules)
    kept = list(zip(table.tiles, table.trips, table.alone, table.swept, table.largest, strict=True))
    every = tile_inputs(axis, np.arange(1, axis.outputs + 1), rules)
    for mine in zip(every.tiles, every.trips, every.alone, every.swept, every.largest, strict=True):
        assert any(all(a <= b for a, b in zip(other, mine, strict=True)) for other in kept), mine


def test_measured_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    axis = Axis(50, 101, 5, 2, 1, 2)
    sizes = np.arange(50, 0, -1)
    whole = tile_inputs(axis, sizes, Rules())
    monkeypatch.setattr("energysim.mapping.axes._CHUNK", 7)
    parts = tile_inputs(axis, sizes, Rules())
    assert np.array_equal(whole.alone, parts.alone) and np.array_equal(whole.swept, parts.swept)
