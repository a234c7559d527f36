"""Properties of the search: exact, total, independent of blocks, bounded in memory."""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from energysim.cost import OBJECTIVES, LayerCost, Setting
from energysim.cost.two_level import TwoLevel
from energysim.errors import CapacityError
from energysim.hardware import load_hardware
from energysim.kernels import DenseKernel, MaskKernel, PeriodicKernel
from energysim.mapping import Choice, Fetches, Goal, Room, Rules, Tiling, fetches, footprint, search
from energysim.mapping.search import undominated
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

from .random_layers import random_nest, random_rules, random_setting, random_work

ROWS = Axis(28, 28, 3, 1, 1, 1)
CONV = LoopNest(2, 1, 48, 32, ROWS, ROWS, DenseKernel((48, 32, 3, 3)))


def room(capacity: int | None, nest: LoopNest = CONV) -> Room:
    """Eight-bit words and 32-bit sums in a shared buffer."""
    taps = nest.kernel.shape[2] * nest.kernel.shape[3]
    return Room(capacity, None, 0, lambda m, c: m * c * taps * 8, 8, 32)


def traffic(nest: LoopNest = CONV, sums: int = 2, floor: int = 0) -> Goal:
    """Elements moved, or ``floor`` if that is more."""
    weights, outputs = nest.kernel.nonzeros, nest.output_elements

    def exact(moved: Fetches) -> tuple[int, ...]:
        words = moved.weight_passes * weights + moved.input_elements
        words += sums * (moved.output_visits - 1) * outputs
        return (max(words, floor), words)

    def bound(passes: Any, inputs: Any, visits: Any) -> Any:
        return np.maximum(passes * weights + inputs + sums * (visits - 1) * outputs, floor)

    return Goal(bound, exact)


def evaluated(work: MacWorkload, setting: Setting) -> LayerCost | None:
    try:
        return TwoLevel().evaluate((work,), setting)[0]
    except CapacityError:
        return None


def first(cost: LayerCost | None, objective: str) -> float:
    """What the objective minimises; infinite if nothing fits."""
    if cost is None:
        return float("inf")
    dram = sum(row.bits for row in cost.accesses if row.level == "dram")
    energy, cycles = cost.energy_aj, cost.cycles
    return {"energy": energy, "dram": dram, "delay": cycles, "edp": energy * cycles}[objective]


@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
def test_the_size_of_the_blocks_changes_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [search(CONV, Rules(), room(c), traffic()) for c in (10**4, 10**5, 10**6, None)]
    bound_by_time = search(CONV, Rules(), room(10**5), traffic(floor=10**9))
    monkeypatch.setattr(sys.modules[search.__module__], "BLOCK", size)
    assert [search(CONV, Rules(), room(c), traffic()) for c in (10**4, 10**5, 10**6, None)] == expected
    assert search(CONV, Rules(), room(10**5), traffic(floor=10**9)) == bound_by_time


def test_a_goal_that_many_reach_is_decided_by_its_further_numbers() -> None:
    # As when compute takes longest: all mappings are as good, the traffic decides.
    assert search(CONV, Rules(), room(10**5), traffic(floor=10**9)).moved == (
        search(CONV, Rules(), room(10**5), traffic()).moved
    )


def test_among_all_equal_the_preferred_one_is_chosen() -> None:
    nothing = Goal(lambda p, i, v: 0 * p + 0 * i + 0 * v, lambda moved: (0,))
    choice = search(CONV, Rules(), room(None), nothing)
    assert choice.moved == Fetches(1, CONV.touched_inputs, 1)
    assert choice.tiling == Tiling((2, 48, 32, 28, 28), "CPQNM")


def test_preference_is_total() -> None:
    # Equal in what they move: the lower other rows win, in whatever order the columns come.
    draw = np.random.Generator(np.random.Philox(5))
    points = draw.integers(0, 6, (9, 400))
    kept = undominated(points)
    for _ in range(5):
        assert np.array_equal(undominated(points[:, draw.permutation(400)]), kept)
    columns = [tuple(c) for c in kept.T.tolist()]
    every = [tuple(c) for c in points.T.tolist()]

    def beaten(point: tuple[int, ...]) -> bool:
        return any(
            (q[:3] != point[:3] and all(a <= b for a, b in zip(q[:3], point[:3], strict=True)))
            or (q[:3] == point[:3] and q < point)
            for q in every
        )

    assert sorted(columns) == sorted({point for point in every if not beaten(point)})
    assert undominated(points[:, :0]).shape == (9, 0)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_chosen_fits_and_is_evaluated_alike(seed: int) -> None:
    draw = Random(seed)
    nest, rules = random_nest(draw, 12), random_rules(draw)
    taps = nest.kernel.shape[2] * nest.kernel.shape[3]
    full = nest.kernel.nonzeros * 8 + nest.input_elements * 8 + nest.output_elements * 32
    limit = Room(full // draw.randint(1, 9) + 1, None, 3, lambda m, c: m * c * taps * 8, 8, 32)
    choice = search(nest, rules, limit, traffic(nest))
    if choice.tiling is None or choice.moved is None:
        assert choice.smallest is not None and not limit.holds(choice.smallest)
        return
    assert choice.smallest is None
    assert limit.holds(footprint(nest, choice.tiling, rules, limit))
    assert fetches(nest, choice.tiling, rules) == choice.moved
    assert choice.mappings >= choice.tilings >= 1


@pytest.mark.parametrize("seed", range(40))
def test_order_of_settings(seed: int) -> None:
    """Compulsory traffic is the least; more room, more tiles, kept overlap never cost more."""
    draw = Random(seed)
    work, rules = random_work(draw), random_rules(draw)
    objective = draw.choice(list(OBJECTIVES))
    setting = random_setting(draw, work, rules, objective)
    cost = evaluated(work, setting)
    value = first(cost, objective)

    def other(**changes: str) -> float:
        return first(evaluated(work, replace(setting, rules=replace(rules, **changes))), objective)

    if cost is not None:
        assert sum(row.bits for row in cost.accesses if row.level == "dram") >= cost.compulsory_bits
        assert cost.energy_aj == sum(row.energy_aj for row in cost.accesses)
        assert cost.cycles == max(cycles for _, cycles in cost.times)
        assert 0 <= cost.utilisation <= 1
        assert all(
            isinstance(n, int) and n >= 0
            for row in cost.accesses
            for n in (row.elements, row.bits, row.energy_aj)
        )
    assert other(tiles="all") <= other(tiles="divisors")
    assert other(overlap="one-axis") <= other(overlap="none")
    assert other(double_buffering="no") <= other(double_buffering="yes")
    assert other(padding="skipped") <= other(padding="fetched")
    assert other(first_read="elided") <= other(first_read="counted")
    buffer = setting.hardware.buffer
    for factor in (2, 3, 10):
        parts = buffer.partitions and replace(
            buffer.partitions, **{k: factor * v for k, v in vars(buffer.partitions).items()}
        )
        larger = replace(buffer, capacity_bits=factor * (buffer.capacity_bits or 0), partitions=parts)
        again = first(
            evaluated(work, replace(setting, hardware=replace(setting.hardware, buffer=larger))), objective
        )
        assert again <= value
        value = again


def turned(work: MacWorkload) -> MacWorkload:
    """Rows and columns swapped everywhere."""
    nest = work.nest
    m, c, r, s = nest.kernel.shape
    kernel = nest.kernel
    shape = (m, c, s, r)
    if isinstance(kernel, DenseKernel):
        swapped: Any = DenseKernel(shape)
    elif isinstance(kernel, PeriodicKernel):
        swapped = PeriodicKernel(
            shape, tuple(tuple(sorted(t % s * r + t // s for t in slot)) for slot in kernel.slots)
        )
    else:
        swapped = MaskKernel(np.ascontiguousarray(kernel.mask().swapaxes(2, 3)))

    def swap(operand: Operand) -> Operand:
        n, k, h, w = operand.shape
        return replace(operand, shape=(n, k, w, h))

    return replace(
        work,
        nest=replace(nest, rows=nest.cols, cols=nest.rows, kernel=swapped),
        inputs=swap(work.inputs),
        outputs=swap(work.outputs),
    )


@pytest.mark.parametrize("seed", range(60))
def test_swapping_rows_and_columns_changes_no_count(seed: int) -> None:
    draw = Random(seed)
    work, rules = random_work(draw), random_rules(draw)
    setting = random_setting(draw, work, rules, draw.choice(list(OBJECTIVES)))
    one, two = evaluated(work, setting), evaluated(turned(work), setting)
    if one is None or two is None:
        assert one is two
        return
    assert one.accesses == two.accesses and one.times == two.times and one.macs == two.macs
    assert (one.utilisation, one.compulsory_bits, one.mappings) == (
        two.utilisation,
        two.compulsory_bits,
        two.mappings,
    )


def gemm(rows: int, channels: int, filters: int, batch: int = 1) -> MacWorkload:
    nest = LoopNest(
        batch, 1, filters, channels, Axis(rows, rows), Axis(1, 1), DenseKernel((filters, channels, 1, 1))
    )
    return MacWorkload(nest, Operand((batch, rows, channels)), Operand((batch, rows, filters)))


LARGE = [gemm(1, 25088, 4096), gemm(197, 768, 3072), gemm(4096, 4096, 4096), gemm(1, 8192, 128_256, 64)]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("work", LARGE, ids=lambda work: str(work.inputs.shape) + str(work.outputs.shape))
def test_large_layers_take_little_memory(work: MacWorkload, objective: str) -> None:
    hardware = load_hardware("edge45")
    setting = Setting(hardware, Rules(), objective, 8, 8, 32)
    tracemalloc.start()
    try:
        cost = evaluated(work, setting)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert cost is not None
    assert cost.macs == work.nest.batch * work.nest.rows.outputs * work.nest.kernel.nonzeros


def test_a_layer_beyond_exact_counts_is_refused() -> None:
    with pytest.raises(OverflowError, match="exact below"):
        search(gemm(10**6, 10**6, 10**6).nest, Rules(), room(None), traffic())


def test_nothing_fits() -> None:
    smallest = search(CONV, Rules(), room(1), traffic()).smallest
    # One output of one channel: 9 weights and 9 inputs of 8 bits, one sum of 32.
    assert smallest == (72, 72, 32)
    assert search(CONV, Rules(), room(175), traffic()) == Choice(
        None,
        None,
        search(CONV, Rules(), room(176), traffic()).tilings,
        search(CONV, Rules(), room(176), traffic()).mappings,
        smallest,
    )
    assert search(CONV, Rules(), room(176), traffic()).tiling is not None
