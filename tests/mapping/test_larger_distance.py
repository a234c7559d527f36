"""How far VGG16's convolutions are from the lower bound: even tiles, the larger space, and its own limit."""

from __future__ import annotations

from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from energysim.mapping import PRESETS, Fetches, Goal, Room, Rules, search_larger
from energysim.workload import LoopNest

from .test_bounds import VGG16, square, words

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bounds.md"

#: Traffic over the bound at 64, 108 and 512 KiB: even tiles, the larger space, no tile size cut off.
DISTANCE = {
    64: ("1.297", "1.277", "1.128"),
    108: ("1.221", "1.194", "1.128"),
    512: ("1.107", "1.096", "1.066"),
}


def traffic(nest: LoopNest, capacity: int, rules: Rules) -> int:
    """Least traffic in words, every word of the same width."""
    weights, outputs = nest.kernel.nonzeros, nest.output_elements

    def exact(moved: Fetches) -> tuple[int, ...]:
        words = moved.weight_passes * weights + moved.input_elements + (2 * moved.output_visits - 1) * outputs
        return (int(words),)

    def rough(passes: Any, inputs: Any, visits: Any) -> Any:
        return passes * weights + inputs + (2 * visits - 1) * outputs

    room = Room(capacity, None, 0, lambda m, c: m * c * 9, 1, 1)
    choice = search_larger(nest, rules, room, Goal(rough, exact), "CM")
    assert choice.moved is not None
    return exact(choice.moved)[0]


def limit(nest: LoopNest, capacity: int) -> float:
    """Least traffic in words with tiles of any size and windows that share all they can (docs/bounds.md)."""
    c, m, plane = nest.channels, nest.filters, nest.rows.outputs * nest.cols.outputs
    w, i, o = 9 * m * c, c * plane, m * plane

    def between(best: float, low: float, high: float) -> float:
        return min(max(best, min(low, high)), high)

    sums = between(sqrt(i * m * capacity / (w * plane)), capacity / plane, m)  # filters of a tile
    held = between(sqrt(2 * o * c * capacity / (i * 9 * m)), capacity / (9 * m), c)  # channels of a tile
    lines = between(sqrt(2 * o * c * capacity / (w * plane)), capacity / plane, c)
    return min(
        w * max(plane * sums / capacity, 1) + i * m / sums + o,
        w + i * max(9 * m * held / capacity, 1) + o * (2 * c / held - 1),
        w * max(plane * lines / capacity, 1) + i + o * (2 * c / lines - 1),
    )


@cache
def distances(kib: int) -> tuple[str, ...]:
    """Traffic over the bound, summed over the network, with three digits."""
    capacity = kib * 1024 // 2
    sums = [0.0] * 4
    for filters, channels, size, times in VGG16:
        nest = square(filters, channels, size)
        least = max(nest.kernel.nonzeros + nest.touched_inputs + nest.output_elements, words(nest, capacity))
        even, larger = (traffic(nest, capacity, rules) for rules in (Rules(), PRESETS["larger"]))
        floor = limit(nest, capacity)
        assert max(least, floor) <= larger <= even
        sums = [
            total + times * mine
            for total, mine in zip(sums, (least, even, larger, max(least, floor)), strict=True)
        ]
    return tuple(f"{mine / sums[0]:.3f}" for mine in sums[1:])


@pytest.mark.parametrize("kib", DISTANCE)
def test_distance_of_vgg16(kib: int) -> None:
    assert distances(kib) == DISTANCE[kib]


def test_what_was_aimed_at_is_beyond_the_limit() -> None:
    """At 108 KiB 1.12 was the aim: no mapping of the larger space gets there, whatever its tiles."""
    assert float(distances(108)[2]) > 1.12


def test_the_table_in_the_documentation() -> None:
    page = PAGE.read_text("utf-8")
    for kib, shown in DISTANCE.items():
        assert f"| {kib} KiB | {' | '.join(shown)} |" in page


def test_the_limit_of_small_layers() -> None:
    """The limit holds for layers of all shapes, at all sizes of the buffer."""
    for filters, channels, size in [(8, 8, 9), (30, 4, 12), (5, 40, 6), (16, 16, 16)]:
        for capacity in (40, 90, 300, 1000, 5000):
            nest = square(filters, channels, size)
            assert traffic(nest, capacity, PRESETS["larger"]) >= limit(nest, capacity) - 1e-6
