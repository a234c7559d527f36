"""Tiles of irregular masks: bounds first, the same answer as from the whole table."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from energysim.kernels import CyclicKernel, IntArray, Kernel, MaskKernel
from energysim.mapping import Fetches, Goal, Room, Rules, search
from energysim.windows import Axis
from energysim.workload import LoopNest


def irregular(draw: Random) -> MaskKernel:
    shape = (draw.randint(1, 40), draw.randint(1, 40), 1, draw.choice([1, 3]))
    density = np.array([draw.random() for _ in range(shape[0])])[:, None, None, None]
    numbers = np.array([draw.random() for _ in range(int(np.prod(shape)))]).reshape(shape)
    return MaskKernel(numbers < density)


@pytest.mark.parametrize("seed", range(60))
def test_the_exact_number_lies_between(seed: int) -> None:
    draw = Random(seed)
    shape = (draw.randint(1, 40), draw.randint(1, 40), 1, 3)
    fan = draw.randint(1, shape[1])
    step = draw.randint(1, max(1, (shape[1] - 1) // max(1, fan - 1)))
    for kernel in (irregular(draw), CyclicKernel(shape, fan, step)):
        lies_between(kernel)


def lies_between(kernel: Kernel) -> None:
    filters = np.arange(1, kernel.shape[0] + 1)[:, None]
    channels = np.arange(1, kernel.shape[1] + 1)
    exact = kernel.nonzeros_in_tile(filters, channels)
    low, high = kernel.nonzeros_in_tile_range(filters, channels)
    assert (low <= exact).all() and (exact <= high).all()


@pytest.mark.parametrize("seed", range(80))
def test_the_same_choice(seed: int) -> None:
    draw = Random(seed)
    kernel = irregular(draw)
    m, c, _, s = kernel.shape
    rows, cols = draw.randint(1, 6), draw.randint(1, 6)
    nest = LoopNest(1, 1, m, c, Axis(rows, rows), Axis(cols, cols + s - 1, s), kernel)
    weights, outputs = kernel.nonzeros, nest.output_elements

    def exact(moved: Fetches) -> tuple[int, ...]:
        return (
            moved.weight_passes * weights + moved.input_elements + (2 * moved.output_visits - 1) * outputs,
        )

    def rough(passes: Any, inputs: Any, visits: Any) -> Any:
        return passes * weights + inputs + (2 * visits - 1) * outputs

    def bits(filters: IntArray, channels: IntArray) -> IntArray:
        return kernel.nonzeros_in_tile(filters, channels) * 8 + filters * channels

    def between(filters: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
        low, high = kernel.nonzeros_in_tile_range(filters, channels)
        return low * 8 + filters * channels, high * 8 + filters * channels

    capacity = draw.randint(40, 9 * weights + 8 * nest.input_elements + 32 * outputs + 100)
    split = draw.random() < 0.3
    parts = (capacity // 2, capacity // 4, capacity // 4) if split else None
    found = [
        search(nest, Rules(), Room(capacity, parts, 3, bits, 8, 32, way), Goal(rough, exact))
        for way in (between, None)
    ]
    assert found[0] == found[1]
