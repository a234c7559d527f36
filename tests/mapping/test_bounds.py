"""The lower bound on DRAM traffic: by hand, against caches that run the loops, against the search."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import sqrt
from random import Random

import numpy as np
import pytest

from energysim.cost.two_level import TwoLevel
from energysim.errors import CapacityError
from energysim.kernels import DenseKernel, MaskKernel, PeriodicKernel
from energysim.mapping import Fetches, Goal, Room, Rules, products_by_taps, search
from energysim.mapping import traffic_bound_bits as bound_bits
from energysim.windows import Axis
from energysim.workload import LoopNest

from .random_layers import random_nest, random_rules, random_setting, random_work

WORD = Fraction(16)


def words(nest: LoopNest, capacity: int) -> int:
    """The bound in words, every word of the same width."""
    return bound_bits(nest, 16 * capacity, WORD, WORD, WORD, 16) // 16


def square(filters: int, channels: int, outputs: int, window: int = 3, stride: int = 1) -> LoopNest:
    """A dense convolution, padded by half its window."""
    before = (window - 1) // 2
    inputs = outputs * stride
    axis = Axis(outputs, inputs, window, stride, 1, before)
    return LoopNest(1, 1, filters, channels, axis, axis, DenseKernel((filters, channels, window, window)))


def matrix(rows: int, channels: int, filters: int) -> LoopNest:
    kernel = DenseKernel((filters, channels, 1, 1))
    return LoopNest(1, 1, filters, channels, Axis(rows, rows), Axis(1, 1), kernel)


def test_matrix_product() -> None:
    """2 M N K / sqrt(S) - 2 S (Smith et al. 2017)."""
    assert words(matrix(1000, 500, 300), 10_000) == 2 * 1000 * 500 * 300 // 100 - 2 * 10_000
    assert words(matrix(4, 4, 4), 10_000) == 0


def test_taps_of_a_dense_window() -> None:
    assert products_by_taps(square(8, 4, 5, window=1)) == ((1, 8 * 4 * 25),)
    # 3 x 3, stride 1, padding 1 on a 5 x 5 map: 13 of 15 meetings an axis are no padding.
    assert products_by_taps(square(8, 4, 5)) == ((9, 8 * 4 * 13 * 13),)
    # Stride 2: taps 0 and 2 share a class, tap 1 has its own; outputs 0 and 1 of inputs 0 to 3:
    # tap 0 meets padding once, taps 1 and 2 never, so 3 meetings of two taps and 2 of one.
    assert products_by_taps(square(1, 1, 2, stride=2)) == ((1, 2 * 2), (2, 2 * 2 * 3), (4, 3 * 3))


def test_taps_of_a_periodic_kernel() -> None:
    axis = Axis(7, 9, 3)
    kernel = PeriodicKernel((6, 4, 3, 3), ((0, 1), tuple(range(9)), (4,)))
    sizes = kernel.weights_per_window()
    expected = tuple((taps, taps * windows * 49) for taps, windows in sizes)
    assert products_by_taps(LoopNest(1, 1, 6, 4, axis, axis, kernel)) == expected


def test_dilation_separates_classes() -> None:
    """Dilation 2 with stride 2: all taps in one class; dilation 1 with stride 3: each its own."""
    kernel = DenseKernel((1, 1, 1, 3))
    one = Axis(1, 1)
    assert products_by_taps(LoopNest(1, 1, 1, 1, one, Axis(3, 9, 3, 2, 2), kernel)) == ((3, 9),)
    assert products_by_taps(LoopNest(1, 1, 1, 1, one, Axis(3, 9, 3, 3, 1), kernel)) == ((1, 9),)


def test_where_the_often_quoted_form_is_false() -> None:
    """ResNet18's 1x1 shortcut with stride 2, 64 -> 128 at 28 x 28, 16 KiB: 207,872 words are achieved.

    2 sqrt(stride^2) G / sqrt(S) - 2 S would give 267,454 words.
    """
    axis = Axis(28, 56, 1, 2)
    nest = LoopNest(1, 1, 128, 64, axis, axis, DenseKernel((128, 64, 1, 1)))
    products, size = 28 * 28 * 64 * 128, 16 * 1024 * 8 // 16
    assert int(2 * 2 * products / sqrt(size)) - 2 * size == 267_454
    assert words(nest, size) == int(2 * products / sqrt(size) - 2 * size) < 207_872


def test_vgg16_conv1_2_stays_below_what_resident_weights_achieve() -> None:
    """At 108 KiB 6,603,776 words are enough: schedules that keep outputs need 8,455,236 (HPCA 2020)."""
    assert words(square(64, 64, 224), 108 * 1024 * 8 // 16) < 6_603_776


def test_two_widths_of_sums() -> None:
    """Sums at 32 bits with the difference given back, or at 8: whichever is more."""
    nest = matrix(1000, 500, 300)
    size = 80_000
    eight, root = Fraction(8), 2 * 1000 * 500 * 300 / sqrt(size)
    found = bound_bits(nest, size, eight, eight, eight, 32)
    assert found == int(root * sqrt(8 * 8 * 32) - 2 * size - 1000 * 300 * 24)
    few = matrix(1000, 5, 300)
    assert bound_bits(few, 8_000, eight, eight, eight, 32) == int(
        2 * 1000 * 5 * 300 / sqrt(8_000) * sqrt(8**3) - 2 * 8_000
    )


def test_more_memory_never_raises_it() -> None:
    nest = square(32, 16, 28)
    found = [words(nest, size) for size in (64, 256, 1024, 4096, 16384)]
    assert found == sorted(found, reverse=True) and found[0] > found[1]


@pytest.mark.parametrize("seed", range(60))
def test_no_cache_beats_it(seed: int) -> None:
    """Any order of the products, a cache with least-recently-used replacement: never below."""
    draw = Random(seed)
    nest = random_nest(draw, 5)
    points = list(pairs(nest))
    size = draw.choice([3, 4, 6, 10, 20])
    for order in ("loops", "tiles", "random"):
        if order == "random":
            draw.shuffle(points)
        elif order == "tiles":
            m, c, o = draw.randint(1, 3), draw.randint(1, 3), draw.randint(1, 6)
            points.sort(key=lambda p: (p[0][0] // m, p[0][1] // c, p[2][1] // o, p[2][2] // o, p))
        assert cached_traffic(points, size) >= words(nest, size)


def pairs(nest: LoopNest):  # type: ignore[no-untyped-def]
    """Yield (weight, input, output) of every product that is not with padding, by plain loops."""
    mask = nest.kernel.mask()
    for f, c, r, s in zip(*map(np.ndarray.tolist, np.nonzero(mask)), strict=True):
        channel = (f // nest.filters) * nest.channels + c
        for n, p, q in product(range(nest.batch), range(nest.rows.positions), range(nest.cols.positions)):
            y = p * nest.rows.stride + r * nest.rows.dilation - nest.rows.before
            x = q * nest.cols.stride + s * nest.cols.dilation - nest.cols.before
            far = (
                (nest.rows.outputs, nest.cols.outputs)
                if nest.rows.transposed
                else (
                    nest.rows.inputs,
                    nest.cols.inputs,
                )
            )
            if not (0 <= y < far[0] and 0 <= x < far[1]):
                continue
            near, other = (n, p, q), (n, y, x)
            if nest.rows.transposed:
                near, other = other, near
            yield (f, c, r, s), (channel, *other), (f, *near)


def cached_traffic(points: list, size: int) -> int:  # type: ignore[type-arg]
    """Words moved: operands are read, sums are written back when they leave and read again."""
    held: OrderedDict[tuple[str, tuple[int, ...]], bool] = OrderedDict()
    begun: set[tuple[int, ...]] = set()
    moved = 0
    for weight, value, total in points:
        for key in (("w", weight), ("i", value), ("o", total)):
            if key in held:
                held.move_to_end(key)
                continue
            if len(held) == size:
                (kind, _), _ = held.popitem(last=False)
                moved += kind == "o"
            moved += key[0] != "o" or total in begun
            begun.add(total)
            held[key] = True
    return moved + sum(kind == "o" for kind, _ in held)


@pytest.mark.parametrize("seed", range(150))
def test_no_mapping_beats_it(seed: int) -> None:
    """The best mapping for DRAM traffic, any widths, formats, zeros and rules."""
    draw = Random(seed)
    work, rules = random_work(draw), random_rules(draw)
    setting = random_setting(draw, work, rules, "dram")
    try:
        (cost,) = TwoLevel().evaluate((work,), setting)
    except CapacityError:
        return
    dram = sum(row.bits for row in cost.accesses if row.level == "dram")
    assert cost.compulsory_bits <= cost.dram_bound_bits <= dram


#: VGG16's convolutions: filters, channels, rows = columns of the output, how many there are.
VGG16 = [
    (64, 3, 224, 1),
    (64, 64, 224, 1),
    (128, 64, 112, 1),
    (128, 128, 112, 1),
    (256, 128, 56, 1),
    (256, 256, 56, 2),
    (512, 256, 28, 1),
    (512, 512, 28, 2),
    (512, 512, 14, 3),
]


@pytest.mark.parametrize(("kib", "most"), [(64, 1.30), (108, 1.23), (512, 1.11)])
def test_distance_of_vgg16(kib: int, most: float) -> None:
    """Best traffic over the bound, summed: even tiles, overlap kept along one axis."""
    capacity = kib * 1024 * 8 // 16
    achieved = least = 0
    for filters, channels, size, times in VGG16:
        nest = square(filters, channels, size)
        weights, inputs, outputs = nest.kernel.nonzeros, nest.touched_inputs, nest.output_elements

        def exact(moved: Fetches, w: int = weights, o: int = outputs) -> tuple[int, ...]:
            return (moved.weight_passes * w + moved.input_elements + (2 * moved.output_visits - 1) * o,)

        def rough(passes, inputs, visits, w: int = weights, o: int = outputs):  # type: ignore[no-untyped-def]
            return passes * w + inputs + (2 * visits - 1) * o

        room = Room(capacity * 16, None, 0, lambda m, c: m * c * 9 * 16, 16, 16)
        choice = search(nest, Rules(), room, Goal(rough, exact))
        assert choice.moved is not None
        achieved += times * exact(choice.moved)[0]
        least += times * max(weights + inputs + outputs, words(nest, capacity))
    assert 1 < achieved / least <= most


def test_masks_and_periods_of_equal_support_agree() -> None:
    axis = Axis(7, 14, 3, 2, 1, 1)
    periodic = PeriodicKernel((6, 5, 3, 3), ((0, 1, 5), (2, 4), ()))
    one = LoopNest(1, 1, 6, 5, axis, axis, periodic)
    two = replace(one, kernel=MaskKernel(periodic.mask()))
    assert products_by_taps(one) == products_by_taps(two)
