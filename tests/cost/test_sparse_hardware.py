"""Formats on chip, room for the tail, lanes that wait in the cost model two-level: by hand and in loops."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from energysim.cost import LayerCost, Setting
from energysim.cost.two_level import TwoLevel, evaluate_tiling
from energysim.errors import CapacityError, EnergysimError
from energysim.formats import get_format
from energysim.hardware import Constant, Hardware, Reserve, ZeroHandling
from energysim.kernels import MaskKernel, PeriodicKernel
from energysim.mapping import Tiling
from energysim.occupancy import expected_most, reserved
from energysim.windows import Axis
from energysim.workload import MacWorkload

from .small import conv, hardware, rows, setting

HALF = Fraction(1, 2)
BITMAP = ZeroHandling(True, "gate", "bitmap", decompressed_at="mac")
#: Two of nine taps in every window, four patterns.
SLOTS = ((0, 4), (1, 5), (2, 6), (3, 7))
SQUARE = Axis(4, 4, 3, 1, 1, 1)


def reserve(one_in: int = 1000, overflow: str = "refetched") -> Reserve:
    return Reserve(Constant(Fraction(one_in), "", "a test", "assumed", None), overflow)  # type: ignore[arg-type]


def best(work: MacWorkload, hw: Hardware, **changes: str) -> LayerCost:
    (cost,) = TwoLevel().evaluate((work,), setting(hw, **changes))
    return cost


def test_weights_plain_in_the_buffer() -> None:
    # 8 x 8 windows of two taps: 128 weights of 8 bit stored with a table, 576 places; 16 positions
    kernel = PeriodicKernel((8, 8, 3, 3), SLOTS)
    work = conv(8, 8, SQUARE, SQUARE, kernel)
    hw = replace(hardware(), weights=ZeroHandling(True, "gate"))
    table = 4 * 9  # which taps, for each of four patterns
    inside = replace(hw, weights=replace(hw.weights, decompressed_at="buffer"))
    whole, plain = best(work, hw), best(work, inside)
    assert rows(whole)["dram weights read"] == rows(plain)["dram weights read"] == (128, 128 * 8 + table)
    assert rows(whole)["buffer weights fill"] == (128, 128 * 8 + table)
    assert rows(plain)["buffer weights fill"] == (576, 576 * 8)
    assert rows(whole)["buffer weights read"] == (128 * 16, 128 * 8 * 16)
    assert rows(plain)["buffer weights read"] == (576 * 16, 576 * 8 * 16)
    assert plain.cycles == whole.cycles and plain.energy_aj > whole.energy_aj


def test_another_format_in_the_buffer() -> None:
    kernel = MaskKernel(PeriodicKernel((8, 8, 3, 3), SLOTS).mask())
    work = conv(8, 8, SQUARE, SQUARE, kernel)
    hw = replace(hardware(), weights=ZeroHandling(True, "skip", "coo", (("buffer", "bitmap"),)))
    cost = best(work, hw)
    assert rows(cost)["dram weights read"] == (128, 128 * (8 + 3 + 3 + 2 + 2))
    assert rows(cost)["buffer weights fill"] == (128, 128 * 8 + 576)
    # a format that the specification fixes is used; what it cannot hold is an error
    hw = replace(hardware(), weights=ZeroHandling(True, "skip", "nm:kept=1,size=4"))
    with pytest.raises(
        EnergysimError, match=r"weights cannot be stored as nm:kept=1: a group of 4 holds 4 weights"
    ):
        best(conv(8, 8, SQUARE, SQUARE, MaskKernel(np.arange(576).reshape(8, 8, 3, 3) % 9 < 4)), hw)


def test_inputs_compressed_in_the_buffer() -> None:
    # 2 channels of 6, half zero: a bitmap takes 1 + 8 / 2 = 5 bit an element; each input is read 4 times
    work = conv(4, 2, Axis(6, 6), Axis(1, 1), density=HALF)
    hw = replace(hardware(), activations=BITMAP, reserve=reserve(overflow="never"))
    cost = best(work, hw)
    assert rows(cost)["dram inputs read"] == rows(cost)["buffer inputs fill"] == (12, 60)
    assert rows(cost)["buffer inputs read"] == (48, 48 * 5)
    expected = {a.action for a in cost.accesses if a.tensor == "inputs" and a.expected}
    assert expected == {"read", "fill"}
    # one tile in four overflows: fetched again, or not counted
    again = best(work, replace(hw, reserve=reserve(4)))
    assert rows(again)["dram inputs read"] == rows(again)["buffer inputs fill"] == (15, 75)
    assert rows(again)["buffer inputs read"] == (48, 48 * 5)
    assert best(work, replace(hw, reserve=reserve(4, "ignored"))) == cost
    # decompressed on the way in, as where nothing is said
    usual = best(work, replace(hw, activations=replace(BITMAP, decompressed_at="buffer")))
    assert usual == best(work, replace(hw, activations=replace(BITMAP, decompressed_at=None)))
    assert rows(usual)["buffer inputs fill"] == (12, 96)


def test_inputs_in_two_formats() -> None:
    work = conv(4, 2, Axis(6, 6), Axis(1, 1), density=HALF)
    zeros = replace(BITMAP, formats=(("buffer", "coo"),))
    cost = best(work, replace(hardware(), activations=zeros, reserve=reserve(overflow="never")))
    # coordinates in a matrix of 2 x 6: 6 nonzeros of 8 + 1 + 3 bit are 72 bit, or 6 an element
    assert rows(cost)["dram inputs read"] == (12, 60) and rows(cost)["buffer inputs fill"] == (12, 72)


def capacity(work: MacWorkload, hw: Hardware, tiling: Tiling) -> int:
    """The smallest buffer that a tiling fits, by trying."""
    low, high = 0, 1 << 20
    while high - low > 1:
        middle = (low + high) // 2
        tried = replace(hw, buffer=replace(hw.buffer, capacity_bits=middle))
        try:
            evaluate_tiling(work, setting(tried), tiling)
            high = middle
        except CapacityError:
            low = middle
    return high


def test_room_is_made_for_the_tail() -> None:
    # 16 channels of 8 x 8, one in eight nonzero; a tile of 64 inputs, one weight, 4 sums of 32 bit each
    work = conv(1, 16, Axis(8, 8), Axis(8, 8), density=Fraction(1, 8))
    tiling = Tiling((1, 1, 1, 8, 8), "CPQMN")
    others = 8 + 64 * 32
    hw = replace(hardware(), activations=BITMAP, reserve=reserve(1000))
    # 8 on average, 21 with the tail (test_hierarchy_forms has the sum), 8 bit each, beside 64 bit of bitmap
    assert capacity(work, hw, tiling) == others + 64 + 21 * 8
    assert capacity(work, replace(hw, reserve=reserve(overflow="never")), tiling) == others + 64 * 8
    assert capacity(work, replace(hw, activations=replace(BITMAP, decompressed_at=None)), tiling) == (
        others + 64 * 8
    )
    # the whole tensor holds no more than there is
    everything = Tiling((1, 1, 16, 8, 8), "CPQMN")
    assert capacity(work, hw, everything) == 16 * 8 + 64 * 32 + 1024 + 128 * 8


def tight(seed: int) -> tuple[MacWorkload, Setting]:
    """A small layer whose inputs are many and mostly zero, and a buffer that holds few of them."""
    draw = Random(seed)
    filters, channels, size = draw.randrange(3, 5), 4, draw.randrange(4, 6)
    axis = Axis(size, size, 3, 1, 1, 1)
    taps = [tuple(sorted(draw.sample(range(3), draw.randrange(1, 4)))) for _ in range(2)]
    kernel = PeriodicKernel((filters, channels, 3, 1), tuple(taps))
    work = conv(filters, channels, axis, Axis(1, 1), kernel, density=Fraction(1, 16))
    hw = replace(
        hardware(weights="gate"),
        activations=replace(BITMAP, compute=draw.choice(["gate", "skip"])),
        reserve=reserve(draw.choice([2, 100]), draw.choice(["refetched", "ignored"])),
    )
    place = draw.choice([None, "buffer"])
    hw = replace(hw, weights=replace(hw.weights, decompressed_at=place))
    hw = replace(hw, buffer=replace(hw.buffer, capacity_bits=draw.randrange(80, 230)))
    given = setting(hw, objective=draw.choice(["energy", "dram"]))
    return work, replace(given, accumulator_bits=8)


@pytest.mark.parametrize("seed", range(12))
def test_the_search_is_the_best_of_all(seed: int) -> None:
    work, given = tight(seed)
    nest, values = work.nest, []
    sizes = (range(1, n + 1) for n in (nest.filters, nest.channels, nest.rows.outputs))
    for tiles in product(*sizes):
        for order in ("CMP", "CPM", "MPC", "PMC", "PCM", "MCP"):
            try:
                cost = evaluate_tiling(work, given, Tiling((1, *tiles, 1), f"{order}NQ"))
            except CapacityError:
                continue
            values.append(_value(cost, given))
    (cost,) = TwoLevel().evaluate((work,), given)
    assert _value(cost, given) == min(values)
    assert cost.compulsory_bits <= cost.dram_bound_bits
    assert cost.dram_bound_bits <= sum(a.bits for a in cost.accesses if a.level == "dram")


def test_compressed_tiles_are_larger_and_move_less() -> None:
    """Some of these layers would move more with room for plain inputs: the room made is used."""
    less = []
    for seed in range(8):
        work, given = tight(seed)
        hw = given.hardware
        plain = replace(hw, activations=replace(hw.activations, decompressed_at=None), reserve=None)
        moved = []
        for one in (replace(hw, reserve=reserve(100, "ignored")), plain):
            (cost,) = TwoLevel().evaluate((work,), replace(given, hardware=one, objective="dram"))
            moved.append(sum(a.bits for a in cost.accesses if a.level == "dram"))
        assert moved[0] <= moved[1]
        less.append(moved[0] < moved[1])
    assert any(less)


def test_the_bound_knows_the_form_of_the_buffer() -> None:
    # coordinates of few nonzeros are shorter than a bitmap: more inputs may lie in the buffer
    work = conv(64, 64, Axis(8, 8), Axis(8, 8), density=Fraction(1, 64))
    hw = replace(hardware(), activations=BITMAP, reserve=reserve(overflow="ignored"))
    hw = replace(hw, buffer=replace(hw.buffer, capacity_bits=3000))
    inside = replace(hw, activations=replace(BITMAP, formats=(("buffer", "coo"),)))
    tiling = Tiling((1, 1, 1, 1, 1), "CPQMN")
    bitmap, coordinates = (
        evaluate_tiling(work, setting(one), tiling).dram_bound_bits for one in (hw, inside)
    )
    assert coordinates < bitmap


def _value(cost: LayerCost, given: Setting) -> int:
    if given.objective == "energy":
        return cost.energy_aj
    return sum(a.bits for a in cost.accesses if a.level == "dram")


def slow_sets(mask: NDArray[np.bool_], groups: int, filters: int) -> tuple[int, int]:
    """Steps of lanes that wait, and rows that sets of filters read, one filter and weight at a time."""
    steps = reads = 0
    each = len(mask) // groups
    for group in range(groups):
        for first in range(0, each, filters):
            members = range(first, min(first + filters, each))
            longest, used = 0, set()
            for f in members:
                found = [tuple(at) for at in np.argwhere(mask[group * each + f])]
                longest = max(longest, len(found))
                used.update(found)
            steps += longest
            reads += len(used)
    return steps, reads


@pytest.mark.parametrize("seed", range(10))
def test_lanes_that_wait_for_weights(seed: int) -> None:
    draw = Random(seed)
    groups, filters, channels = draw.choice([1, 1, 2]), draw.randrange(1, 9), draw.randrange(1, 7)
    mask = np.random.default_rng(seed).random((groups * filters, channels, 3, 3)) < draw.random()
    work = conv(filters, channels, SQUARE, SQUARE, MaskKernel(mask), groups)
    pixels, lanes = draw.choice([1, 3, 4]), draw.choice([1, 2, 4])
    hw = hardware(pixels, lanes)
    waiting = best(work, replace(hw, weights=replace(hw.weights, lanes="waiting")))
    packed = best(work, replace(hw, weights=replace(hw.weights, lanes="packed")))
    gated = best(work, hardware(pixels, lanes, weights="gate"))
    assert packed == best(work, hw)
    steps, reads = slow_sets(mask, groups, lanes)
    assert waiting.cycles == -(-16 // pixels) * steps
    assert rows(waiting).get("buffer inputs read", (0, 0))[0] == 16 * reads
    assert -(-16 // pixels) * int(mask.sum()) <= waiting.cycles * lanes and waiting.cycles <= gated.cycles
    if waiting.cycles:
        assert waiting.utilisation == Fraction(16 * int(mask.sum()), waiting.cycles * pixels * lanes)


def test_periodic_lanes_are_balanced_and_random_ones_are_not() -> None:
    kernel = PeriodicKernel((16, 16, 3, 3), SLOTS)
    flat = np.arange(16 * 16 * 9)
    np.random.default_rng(5).shuffle(flat)
    random = MaskKernel((flat < kernel.nonzeros).reshape(16, 16, 3, 3))
    hw = hardware(4, 4)
    hw = replace(hw, weights=replace(hw.weights, lanes="waiting"))
    even, uneven = (best(conv(16, 16, SQUARE, SQUARE, k), hw) for k in (kernel, random))
    # 32 weights a filter, four sets of filters, four groups of pixels: not one step is lost
    assert even.cycles == 32 * 4 * 4 and even.utilisation == 1
    assert uneven.macs == even.macs and uneven.cycles > even.cycles and uneven.utilisation < 1


def test_lanes_that_wait_for_inputs() -> None:
    # dense weights: 18 rows for each of two sets of filters; four pixels wait for each other
    work = conv(4, 2, SQUARE, SQUARE, density=Fraction(1, 3))
    hw = hardware(4, 2, activations="skip")
    waiting = replace(hw, activations=ZeroHandling(False, "skip", lanes="waiting"))
    expected = 4 * 2 * expected_most(18, Fraction(1, 3), 4)
    assert best(work, waiting).cycles == -(-expected.numerator // expected.denominator)
    assert best(work, hw).cycles == 4 * 2 * 18 // 3 < best(work, waiting).cycles < 4 * 2 * 18
    # one pixel alone waits for nobody; without zeros nobody waits
    alone = replace(waiting, array=replace(hw.array, pixels=1))
    assert best(work, alone).cycles == 16 * 2 * 18 // 3
    full = conv(4, 2, SQUARE, SQUARE)
    assert best(full, waiting) == best(full, hw)
    # eight lanes where each has weights of its own
    mask = np.random.default_rng(2).random((4, 2, 3, 3)) < 0.5
    both = replace(waiting, weights=ZeroHandling(True, "skip", lanes="waiting"))
    sets = [max(int(mask[f].sum()) for f in pair) for pair in ((0, 1), (2, 3))]
    steps = 4 * sum((expected_most(most, Fraction(1, 3), 8) for most in sets), Fraction(0))
    sparse = conv(4, 2, SQUARE, SQUARE, MaskKernel(mask), density=Fraction(1, 3))
    assert best(sparse, both).cycles == -(-steps.numerator // steps.denominator)


@pytest.mark.parametrize("seed", range(12))
def test_gating_never_costs_more_and_skipping_takes_no_longer(seed: int) -> None:
    draw = Random(seed)
    mask = np.random.default_rng(seed).random((6, 5, 3, 3)) < draw.random()
    work = conv(6, 5, SQUARE, SQUARE, MaskKernel(mask), density=Fraction(draw.randrange(1, 8), 8))
    lanes = draw.choice(["packed", "waiting"])
    found = {}
    for weights, inputs in product(("none", "gate", "skip"), repeat=2):
        hw = replace(
            hardware(3, 2, 2, registers=True),
            weights=ZeroHandling(True, weights, lanes=lanes if weights == "skip" else None),  # type: ignore[arg-type]
            activations=replace(BITMAP, compute=inputs, lanes=lanes if inputs == "skip" else None),
            reserve=reserve(64),
        )
        found[weights, inputs] = best(work, hw)
    for other in ("none", "gate", "skip"):
        for key, gated, skipped in (
            (("none", other), ("gate", other), ("skip", other)),
            ((other, "none"), (other, "gate"), (other, "skip")),
        ):
            assert found[gated].energy_aj <= found[key].energy_aj
            assert found[gated].cycles == found[key].cycles
            assert found[skipped].cycles <= found[gated].cycles


def test_no_zeros_make_no_difference() -> None:
    full = PeriodicKernel((8, 8, 3, 3), (tuple(range(9)),))
    keys = replace(
        hardware(4, 4),
        weights=ZeroHandling(True, "skip", None, (("buffer", "csr"),), "mac", "waiting"),
        activations=ZeroHandling(True, "skip", "rlc", (("buffer", "bitmap"),), "mac", "waiting"),
        reserve=reserve(10),
    )
    plain = replace(
        keys, weights=ZeroHandling(False, "none"), activations=ZeroHandling(False, "none"), reserve=None
    )
    assert best(conv(8, 8, SQUARE, SQUARE, full), keys) == best(conv(8, 8, SQUARE, SQUARE), plain)


def test_a_periodic_pattern_reserves_no_more_than_random_ones() -> None:
    # Sparseloop, 512 x 512 x 9 weights of which 4 of 9 are kept, tile of 128 filters and one channel: 512
    # words for a structured pattern, 1,152 for a random one (its worst case); 1,048,576 weights in DRAM,
    # 2,359,296 bit of bit mask. It does not know that a periodic pattern needs no mask.
    slots = tuple(tuple(range(first, first + 4)) for first in (0, 1, 2, 3, 4, 5, 0, 2))
    periodic = PeriodicKernel((512, 512, 3, 3), slots)
    assert periodic.nonzeros == 1_048_576
    tile = np.array([128]), np.array([1])
    assert periodic.nonzeros_in_tile(*tile).tolist() == [512]
    positions = np.array([1152])
    assert reserved(2_359_296, 1_048_576, positions, None).tolist() == [1152]
    assert 512 < int(reserved(2_359_296, 1_048_576, positions, 1000)[0]) < 600
    bitmap = get_format("bitmap").expected_size_bits((512, 512, 3, 3), Fraction(4, 9), 16)
    assert bitmap.side_bits == 2_359_296
    # any tile of any pattern with as many taps in every window against the tail, and tiles that divide
    # the tensor against masks: of those one holds the mean or more
    draw = np.random.default_rng(8)
    small = PeriodicKernel((12, 10, 3, 3), slots[:5])
    m, c = (a.reshape(-1) for a in np.meshgrid(np.arange(1, 13), np.arange(1, 11)))
    held = small.nonzeros_in_tile(m, c)
    assert (held <= reserved(1080, small.nonzeros, m * c * 9, 1000)).all()
    even = (12 % m == 0) & (10 % c == 0)
    for _ in range(20):
        flat = draw.permutation(1080) < small.nonzeros
        random = MaskKernel(flat.reshape(12, 10, 3, 3)).nonzeros_in_tile(m, c)
        assert (held[even] <= random[even]).all() and (held[even] < random[even]).any()
