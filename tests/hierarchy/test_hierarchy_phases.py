"""Transposed convolutions in phases: the same products, each phase counted as run, the best of all."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from support import blocks

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.cost.hierarchy_search import best_cost
from energysim.errors import CapacityError, UsageError
from energysim.extra import Extra
from energysim.hardware.hierarchy import TENSORS, Hierarchy, HierarchyHardware
from energysim.kernels import DenseKernel, MaskKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy.mapping import Mapping, MappingError
from energysim.mapping.hierarchy.phases import phases
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

from .base import level
from .brute_force import all_mappings
from .test_hierarchy_search import random_hierarchy, random_rules, with_limits
from .test_hierarchy_simulated import same_as_run
from .test_hierarchy_timeloop import elements, work


def transposed_axis(rng: random.Random, most: int = 5) -> Axis:
    """Any stride, dilation, cropping, rows added at the end; windows longer and shorter than the stride."""
    inputs, window = rng.randrange(1, most), rng.choice([1, 2, 2, 3, 4])
    stride, dilation = rng.choice([1, 2, 2, 3]), rng.choice([1, 1, 2, 3])
    whole = (inputs - 1) * stride + (window - 1) * dilation + 1
    before, after = rng.randrange(0, 3), rng.randrange(0, 3)
    outputs = max(1, whole - before - after + rng.choice([0, 0, 1]))
    return Axis(outputs, inputs, window, stride, dilation, before, transposed=True)


def transposed(rows: Axis, cols: Axis, filters: int = 2, channels: int = 2, groups: int = 1) -> LoopNest:
    kernel = DenseKernel((groups * filters, channels, rows.window, cols.window))
    return LoopNest(1, groups, filters, channels, rows, cols, kernel)


def up(stride: int, window: int, crop: int, size: int = 4, **more: int) -> LoopNest:
    axis = Axis((size - 1) * stride + window - 2 * crop, size, window, stride, 1, crop, transposed=True)
    return transposed(axis, axis, **more)


def meetings(axis: Axis) -> dict[int, list[int]]:
    """Output -> the inputs that fall on it, by definition."""
    found: dict[int, list[int]] = {o: [] for o in range(axis.outputs)}
    for i, k in product(range(axis.inputs), range(axis.window)):
        o = i * axis.stride + k * axis.dilation - axis.before
        if o in found:
            found[o].append(i)
    return {o: sorted(inputs) for o, inputs in found.items()}


def of_phases(axis: Axis) -> dict[int, list[int]]:
    """The same, from the phases of a layer with these columns."""
    parts = phases(transposed(Axis(1, 1, transposed=True), axis))
    found: dict[int, list[int]] = {}
    for part in parts:
        for remainder in part.cols:
            outputs = range(remainder, axis.outputs, axis.stride)
            if part.nest is None:
                found.update({o: [] for o in outputs})
                continue
            cols = part.nest.cols
            assert (cols.stride, cols.transposed, cols.outputs) == (1, False, len(outputs))
            skipped = axis.inputs - cols.inputs
            for j, o in enumerate(outputs):
                at = [j + k * cols.dilation - cols.before + skipped for k in range(cols.window)]
                assert o not in found
                found[o] = [i for i in at if skipped <= i < axis.inputs]
    return dict(sorted(found.items()))


@pytest.mark.parametrize("seed", range(300))
def test_every_output_meets_its_inputs(seed: int) -> None:
    axis = transposed_axis(random.Random(seed), 8)
    assert of_phases(axis) == meetings(axis)


def test_phases_by_hand() -> None:
    # A window of the stride: every phase is one tap on the same inputs, all are filters of a 1x1 layer.
    (one,) = phases(up(2, 2, 0))
    assert one.nest == replace(
        up(2, 2, 0), filters=8, rows=Axis(4, 4), cols=Axis(4, 4), kernel=DenseKernel((8, 2, 1, 1))
    )
    assert (one.outputs, one.weights, str(one)) == (128, 16, "rows 0+1 columns 0+1")
    # 4 taps, stride 2, one row cropped: outputs 0, 2, .. meet taps 3 and 1 of inputs j-1 and j, outputs
    # 1, 3, .. taps 2 and 0 of inputs j and j+1.
    four = phases(up(2, 4, 1))
    assert [str(part) for part in four] == [
        "rows 0 columns 0", "rows 0 columns 1", "rows 1 columns 0", "rows 1 columns 1",
    ]  # fmt: skip
    first, second = Axis(4, 4, 2, 1, 1, 1), Axis(4, 4, 2, 1, 1, 0)
    assert [(p.nest.rows, p.nest.cols) for p in four if p.nest] == [
        (first, first), (first, second), (second, first), (second, second),
    ]  # fmt: skip
    assert sum(p.weights for p in four) == 2 * 2 * 16
    assert sum(p.nest.dense_macs for p in four if p.nest) == up(2, 4, 1).dense_macs
    # A stride beyond the window leaves outputs that nothing falls on.
    gaps = phases(up(3, 2, 0))
    assert [(p.rows, p.cols, p.nest is None) for p in gaps][:2] == [
        ((0, 1), (0, 1), False),
        ((0, 1), (2,), True),
    ]


@pytest.mark.parametrize("seed", range(60))
def test_each_phase_is_counted_as_it_runs(seed: int) -> None:
    rng = random.Random(seed)
    nest = transposed(transposed_axis(rng, 4), transposed_axis(rng, 4), groups=rng.choice([1, 2]))
    parts = [part.nest for part in phases(nest) if part.nest is not None]
    for part in parts:
        if part.dense_macs < 600:
            same_as_run(rng, part, f"seed {seed}")


def setting(hardware: HierarchyHardware, objective: str = "energy", rules: Rules | None = None) -> Setting:
    return Setting(hardware, rules or Rules(tiles="divisors"), objective, 16, 16, 16)


def best(layer: MacWorkload, given: Setting) -> LayerCost:
    return HierarchyModel().evaluate((layer,), given)[0]


def every(nest: LoopNest, given: Setting) -> list[LayerCost]:
    """All mappings of a phase."""
    layer, found = HierarchyLayer(work(nest), given), []
    for mapping in all_mappings(layer.hierarchy, nest):
        with suppress(MappingError):
            found.append(layer.cost(mapping))
    return found


@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_the_best_of_all_mappings_of_all_phases(
    seed: int, objective: str, two_levels: HierarchyHardware
) -> None:
    against_all(seed, objective, two_levels)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
@pytest.mark.parametrize("seed", blocks(range(4, 40)))
def test_the_best_of_many(seed: int, objective: str, two_levels: HierarchyHardware) -> None:
    against_all(seed, objective, two_levels)


def against_all(seed: int, objective: str, two_levels: HierarchyHardware) -> None:
    rng = random.Random(seed)
    hardware = replace(two_levels, hierarchy=with_limits(rng, random_hierarchy(rng)))
    given = setting(hardware, objective, random_rules(rng))
    while True:
        nest = transposed(transposed_axis(rng, 4), transposed_axis(rng, 3), rng.choice([1, 2]), 1)
        parts = [part.nest for part in phases(nest) if part.nest is not None]
        layers = [HierarchyLayer(work(part), given) for part in parts]
        if layers and sum(sum(1 for _ in all_mappings(x.hierarchy, x.work.nest)) for x in layers) < 1500:
            break
    costs = [every(part, given) for part in parts]
    found = best(work(nest), given)
    unmet = nest.output_elements - sum(part.output_elements for part in parts)
    zeros = unmet * hardware.hierarchy.levels[0].update.energy_aj
    if objective == "edp":
        least = {(0, 0)}
        for each in costs:
            pairs = {(c.energy_aj, c.cycles) for c in each}
            pairs = {p for p in pairs if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in pairs)}
            least = {(a + e, b + t) for a, b in least for e, t in pairs}
        optimum = min((e + zeros) * t for e, t in least)
        value = found.energy_aj * found.cycles
        assert optimum <= value and value * (1 - found.gap) <= optimum
        assert found.optimal == (found.gap == 0)
        return
    assert found.optimal and not found.gap
    if objective == "energy":
        assert found.energy_aj == zeros + sum(min(c.energy_aj for c in each) for each in costs)
    elif objective == "delay":
        assert (found.cycles, found.energy_aj - zeros) == tuple(
            sum(values)
            for values in zip(*(min((c.cycles, c.energy_aj) for c in each) for each in costs), strict=True)
        )
    else:
        assert dram(found) == 16 * unmet + sum(min(map(dram, each)) for each in costs)


def dram(cost: LayerCost) -> int:
    return sum(a.bits for a in cost.accesses if a.level == "dram")


def test_a_layer_by_hand(two_levels: HierarchyHardware) -> None:
    # 2x2, stride 2: everything fits and moves once. 4x4, stride 2: the inputs pass in each phase.
    small = best(work(up(2, 2, 0)), setting(two_levels))
    assert elements(small, "dram", "inputs", "read") == 2 * 16
    assert elements(small, "dram", "weights", "read") == 16
    assert elements(small, "dram", "outputs", "write") == 128
    assert small.cycles == small.macs == small.effective_macs == 16 * 16
    assert small.utilisation == 1 and dram(small) == small.compulsory_bits
    large = best(work(up(2, 4, 1)), setting(two_levels))
    assert elements(large, "dram", "inputs", "read") == 4 * 2 * 16
    assert elements(large, "dram", "weights", "read") == 2 * 2 * 16
    assert elements(large, "dram", "outputs", "write") == 128
    assert large.cycles == large.macs == 2 * 2 * 16 * 16
    assert large.energy_aj == sum(a.energy_aj for a in large.accesses)
    keys = [(a.level, a.tensor, a.action) for a in large.accesses]
    assert len(keys) == len(set(keys))
    assert large.mapping.count(" | ") == 3 and large.mapping.startswith("rows 0 columns 0 > ")
    assert large.mappings > small.mappings and dict(large.searched)["made"] > 0


def test_stride_one_is_a_convolution(two_levels: HierarchyHardware) -> None:
    # The window turned around, the padding the other way: full correlation.
    axis = Axis(6, 4, 3, 1, 1, 0, transposed=True)
    plain = replace(transposed(axis, axis), rows=Axis(6, 4, 3, 1, 1, 2), cols=Axis(6, 4, 3, 1, 1, 2))
    for objective in ("energy", "dram", "delay"):
        found = best(work(transposed(axis, axis)), setting(two_levels, objective))
        expected = best(work(plain), setting(two_levels, objective))
        assert found.accesses == expected.accesses and found.cycles == expected.cycles
        assert found.mapping == f"rows 0 columns 0 > {expected.mapping}"


def test_outputs_that_nothing_falls_on_are_written(two_levels: HierarchyHardware) -> None:
    nest = up(3, 2, 0)
    cost = best(work(nest), setting(two_levels))
    assert elements(cost, "dram", "outputs", "write") == nest.output_elements
    assert cost.effective_macs == nest.dense_macs


def test_what_belongs_to_the_layer_counts_once(two_levels: HierarchyHardware) -> None:
    nest = up(2, 4, 1)
    plain = best(work(nest), setting(two_levels))
    more = replace(
        work(nest), other_ops=7, extra=Extra(side_bits=130, table_bits=50, float_macs=11, float_bits=16)
    )
    cost = best(more, setting(two_levels))
    assert (cost.other_ops, cost.float_macs, cost.macs - plain.macs) == (7, 11, 11)
    assert sum(a.elements for a in cost.accesses if a.level == "vector") == 7
    assert sum(a.elements for a in cost.accesses if a.action == "compute_float") == 11
    weights = [
        sum(a.bits for a in c.accesses if a.level == "dram" and a.tensor == "weights") for c in (cost, plain)
    ]
    assert weights[0] - weights[1] == 180
    # Pooled on their way out: a quarter of the outputs is written.
    pooled = replace(work(nest), outputs=Operand((1, 2, 4, 4)))
    assert elements(best(pooled, setting(two_levels)), "dram", "outputs", "write") == 32


def test_what_is_refused(two_levels: HierarchyHardware) -> None:
    nest = up(2, 4, 1)
    with pytest.raises(MappingError, match="runs in phases, each with a mapping of its own"):
        evaluate_mapping(work(nest), setting(two_levels), Mapping(()))
    sparse = replace(nest, kernel=MaskKernel(DenseKernel((2, 2, 4, 4)).mask() & False))
    with pytest.raises(UsageError, match="sparse kernels"):
        best(work(sparse), setting(two_levels))
    tiny = Hierarchy((level("dram", None, 1), level("buffer", 2, 1, keep=TENSORS)))
    with pytest.raises(CapacityError, match="phase rows 0 columns 0 of a transposed convolution: no mapping"):
        best(work(nest), setting(replace(two_levels, hierarchy=tiny)))


def test_time_is_shared_by_phases(two_levels: HierarchyHardware) -> None:
    given = setting(two_levels, "edp")
    cost = HierarchyModel(search_seconds=0.0).evaluate((work(up(2, 4, 1)),), given)[0]
    assert 0 <= cost.gap < 1 and isinstance(cost.gap, Fraction)
    whole = [best_cost(HierarchyLayer(work(p.nest), given)) for p in phases(up(2, 4, 1)) if p.nest]
    assert cost.energy_aj * cost.cycles >= sum(c.energy_aj for c in whole) * sum(c.cycles for c in whole) * (
        1 - cost.gap
    )
