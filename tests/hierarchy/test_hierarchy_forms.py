"""Tensors that levels hold each in its own form, spared accesses, lanes that wait: by hand and exhausted."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import evaluate_mapping
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.cost.hierarchy_search import best_cost
from energysim.cost.waiting import hierarchy_rounds
from energysim.errors import CapacityError
from energysim.hardware import Reserve, ZeroHandling
from energysim.hardware.core import Constant
from energysim.hardware.hierarchy import Hierarchy, HierarchyHardware, SpatialAxis, TemporalLevel
from energysim.kernels import Kernel, MaskKernel, PeriodicKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy.mapping import MappingError, parse_mapping
from energysim.occupancy import expected_most
from energysim.units import ceil_fraction
from energysim.workload import LoopNest, MacWorkload

from .base import INPUTS, OUTPUTS, WEIGHTS, conv, level, pj
from .test_hierarchy_search import every_goal, goal, random_problem, random_rules, with_limits
from .test_hierarchy_timeloop import elements, work

HALF = Fraction(1, 2)
SLOTS = ((0, 4), (1, 5), (2, 6), (3, 7))
COMPRESSED = ZeroHandling(True, "gate", "bitmap", decompressed_at="mac")
PLAIN = ZeroHandling(False, "none")


def reserve(one_in: int = 1000, overflow: str = "refetched") -> Reserve:
    return Reserve(Constant(Fraction(one_in), "", "a test", "assumed", None), overflow)  # type: ignore[arg-type]


def sparse_work(nest: LoopNest, kernel: Kernel | None = None, density: Fraction = HALF) -> MacWorkload:
    found = work(nest if kernel is None else replace(nest, kernel=kernel))
    return replace(found, inputs=replace(found.inputs, density=density, stored_density=density))


def hardware(
    base: HierarchyHardware,
    nodes: tuple[TemporalLevel | SpatialAxis, ...],
    weights: ZeroHandling = PLAIN,
    activations: ZeroHandling = PLAIN,
    kept: Reserve | None = None,
) -> HierarchyHardware:
    return replace(base, hierarchy=Hierarchy(nodes), weights=weights, activations=activations, reserve=kept)


def cost_of(hw: HierarchyHardware, given: MacWorkload, text: str, rules: Rules | None = None) -> LayerCost:
    return evaluate_mapping(given, Setting(hw, rules or Rules(), "energy", 16, 16, 16), parse_mapping(text))


def bits(cost: LayerCost, name: str, tensor: str, action: str) -> int:
    return sum(a.bits for a in cost.accesses if (a.level, a.tensor, a.action) == (name, tensor, action))


NODES = (
    level("dram", None, 200),
    level("buffer", None, 6),
    SpatialAxis("X", 4, "M", network=pj(2), word_bits=16),
    level("rf", 1000, 1),
)
TEXT = "buffer: M2 C8 P4 Q4; X: M4; rf: R3 S3"


def test_weights_decompressed_on_the_way_in(two_levels: HierarchyHardware) -> None:
    # 8 x 8 kernels of two taps out of nine: 128 weights of 16 bit, 576 places; a bitmap has 576 bit
    given = sparse_work(conv(8, 8, 4), PeriodicKernel((8, 8, 3, 3), SLOTS), Fraction(1))
    inside = ZeroHandling(True, "gate", "bitmap")
    size = 128 * 16 + 576
    whole = cost_of(hardware(two_levels, NODES, inside), given, TEXT)
    assert (elements(whole, "dram", WEIGHTS, "read"), bits(whole, "dram", WEIGHTS, "read")) == (128, size)
    assert (elements(whole, "rf", WEIGHTS, "fill"), bits(whole, "rf", WEIGHTS, "fill")) == (128, size)
    assert bits(whole, "X", WEIGHTS, "transfer") == size
    at_rf = cost_of(hardware(two_levels, NODES, replace(inside, decompressed_at="rf")), given, TEXT)
    assert bits(at_rf, "buffer", WEIGHTS, "fill") == bits(at_rf, "buffer", WEIGHTS, "read") == size
    assert bits(at_rf, "X", WEIGHTS, "transfer") == size  # the decoder stands behind the network
    assert (elements(at_rf, "rf", WEIGHTS, "fill"), bits(at_rf, "rf", WEIGHTS, "fill")) == (576, 576 * 16)
    at_buffer = cost_of(hardware(two_levels, NODES, replace(inside, decompressed_at="buffer")), given, TEXT)
    assert bits(at_buffer, "dram", WEIGHTS, "read") == size
    assert bits(at_buffer, "buffer", WEIGHTS, "fill") == bits(at_buffer, "X", WEIGHTS, "transfer") == 576 * 16
    # multipliers take a plain value of 16 bit for every product
    assert bits(at_buffer, "rf", WEIGHTS, "read") == bits(at_rf, "rf", WEIGHTS, "read") == 576 * 16 * 16
    # another format inside: coordinates of 3 + 3 + 2 + 2 bit
    coo = cost_of(hardware(two_levels, NODES, replace(inside, formats=(("rf", "coo"),))), given, TEXT)
    assert bits(coo, "buffer", WEIGHTS, "read") == size
    assert bits(coo, "rf", WEIGHTS, "fill") == 128 * (16 + 10)


def test_run_lengths_cost_what_they_take(two_levels: HierarchyHardware) -> None:
    # more pairs than weights: a pass moves the bits of all words, whatever a "value" is
    mask = np.zeros((1, 1, 1, 128), dtype=np.bool_)
    mask[..., [0, 100]] = True
    nest = replace(conv(1, 1, 1, window=1), kernel=MaskKernel(mask))
    nest = replace(nest, cols=replace(nest.cols, window=128, before=127, inputs=1, outputs=1))
    hw = hardware(two_levels, NODES[:2], ZeroHandling(True, "gate", "rlc"))
    cost = cost_of(hw, sparse_work(nest, density=Fraction(1)), "buffer: S128", Rules(padding="fetched"))
    # 0; 3 x 32 zeros; 3 zeros and the second value; 27 zeros: six pairs, two words of 64 bit
    assert bits(cost, "dram", WEIGHTS, "read") == bits(cost, "buffer", WEIGHTS, "fill") == 128
    assert elements(cost, "dram", WEIGHTS, "read") == 6


def test_compressed_inputs_on_chip(two_levels: HierarchyHardware) -> None:
    # 8 channels of 4 x 4, half of them zero, as bitmap: 1 + 16 / 2 = 9 bit each; one tile, fetched once
    given = sparse_work(conv(8, 8, 4))
    never = hardware(two_levels, NODES, activations=COMPRESSED, kept=reserve(overflow="never"))
    cost = cost_of(never, given, TEXT)
    assert bits(cost, "dram", INPUTS, "read") == bits(cost, "buffer", INPUTS, "fill") == 128 * 9
    assert elements(cost, "dram", INPUTS, "read") == 128
    reads = elements(cost, "buffer", INPUTS, "read")
    assert bits(cost, "buffer", INPUTS, "read") == 9 * reads
    assert bits(cost, "rf", INPUTS, "read") == 9 * elements(cost, "rf", INPUTS, "read")
    assert bits(cost, "X", INPUTS, "transfer") == 9 * elements(cost, "X", INPUTS, "transfer")
    assert {a.expected for a in cost.accesses if a.tensor == INPUTS} == {True}
    # plain from rf on: what the network carries is still compressed
    plain = cost_of(replace(never, activations=replace(COMPRESSED, decompressed_at="rf")), given, TEXT)
    assert bits(plain, "rf", INPUTS, "fill") == 16 * elements(plain, "rf", INPUTS, "fill")
    assert bits(plain, "X", INPUTS, "transfer") == bits(cost, "X", INPUTS, "transfer")
    # as every specification without these keys has it
    usual = cost_of(replace(never, activations=replace(COMPRESSED, decompressed_at=None)), given, TEXT)
    assert bits(usual, "dram", INPUTS, "read") == 128 * 9
    assert bits(usual, "buffer", INPUTS, "fill") == 128 * 16
    assert bits(usual, "X", INPUTS, "transfer") == 16 * elements(usual, "X", INPUTS, "transfer")


def test_tiles_that_overflow_are_fetched_again(two_levels: HierarchyHardware) -> None:
    given = sparse_work(conv(8, 8, 4))
    base = hardware(two_levels, NODES, activations=COMPRESSED, kept=reserve(8))
    costs = {
        rule: cost_of(replace(base, reserve=reserve(8, rule)), given, TEXT)
        for rule in ("refetched", "ignored", "never")
    }
    for name, action in (("dram", "read"), ("buffer", "fill"), ("rf", "fill"), ("buffer", "read")):
        once = elements(costs["never"], name, INPUTS, action)
        assert elements(costs["ignored"], name, INPUTS, action) == once
        assert elements(costs["refetched"], name, INPUTS, action) == once + once // 8
    # what multipliers take comes once
    assert len({elements(cost, "rf", INPUTS, "read") for cost in costs.values()}) == 1


@pytest.mark.parametrize(("overflow", "words"), [("never", 64), ("ignored", 25), ("refetched", 25)])
def test_room_for_the_tail(two_levels: HierarchyHardware, overflow: str, words: int) -> None:
    # 64 of 16 x 8 x 8 inputs, one in eight nonzero. That more than 8 + 2.3 + sqrt(5.3 + 2 x 6.91 x 7) =
    # 20.4 of them are nonzero happens in one tile of 1,000 at most (6.91 = ln 1000, 7 = 64 x 1/8 x 7/8):
    # a bitmap of 64 bit and 21 values, 25 words. Room for all would be more than plain values take: 64.
    given = sparse_work(conv(1, 16, 8, window=1), density=Fraction(1, 8))
    for size, fits in ((words, True), (words - 1, False)):
        rf = level("rf", size, 1, bypass=(WEIGHTS, OUTPUTS))
        hw = hardware(two_levels, (*NODES[:2], rf), activations=COMPRESSED, kept=reserve(1000, overflow))
        layer = HierarchyLayer(given, Setting(hw, Rules(), "energy", 16, 16, 16))
        if fits:
            assert layer.cost(parse_mapping("buffer: C16; rf: P8 Q8"))
        else:
            with pytest.raises(MappingError, match=f"needs {2 * words} B and has {2 * words - 2} B"):
                layer.cost(parse_mapping("buffer: C16; rf: P8 Q8"))


def test_nothing_fits_and_what_would(two_levels: HierarchyHardware) -> None:
    # one filter of 3 x 3 taps at least; plain from rf on: nine words, not the two that exist
    nodes = (level("dram", None, 1), level("rf", 2, 1, bypass=(INPUTS, OUTPUTS), loops="RS"))
    only = replace(nodes[0], loops="NGMCPQ")
    given = sparse_work(conv(8, 8, 4), PeriodicKernel((8, 8, 3, 3), SLOTS))
    kept = ZeroHandling(True, "gate", "periodic")
    fits = hardware(two_levels, (only, nodes[1]), kept)
    assert best_cost(HierarchyLayer(given, Setting(fits, Rules(), "energy", 16, 16, 16)))
    plain = replace(fits, weights=replace(kept, decompressed_at="rf"))
    with pytest.raises(CapacityError, match="level 'rf' has 4 B and needs 18 B at least"):
        best_cost(HierarchyLayer(given, Setting(plain, Rules(), "energy", 16, 16, 16)))


def small_sparse_layer(rng: random.Random, two_levels: HierarchyHardware) -> HierarchyLayer:
    """A periodic kernel and inputs with zeros, on hardware with every kind of form and sparing."""
    plain, nest = random_problem(rng, 250)
    taps = nest.kernel.shape[2] * nest.kernel.shape[3]
    slots = [
        tuple(sorted(rng.sample(range(taps), rng.randrange(1, taps + 1)))) for _ in range(rng.choice([1, 2]))
    ]
    hierarchy = with_limits(rng, plain)
    names = [node.name for node in hierarchy.levels[1:]]
    places: list[str | None] = [None, "mac", *names]
    formats = tuple((name, rng.choice(["bitmap", "coo"])) for name in names if rng.random() < 0.3)
    lone = [
        node.name
        for place, node in enumerate(hierarchy.nodes)
        if place
        and isinstance(node, TemporalLevel)
        and not any(isinstance(inner, SpatialAxis) for inner in hierarchy.nodes[place:])
    ]

    def spared() -> tuple[str, ...]:
        return tuple(name for name in lone if rng.random() < 0.7)

    weights = ZeroHandling(True, "gate", "bitmap", formats, rng.choice(places), None, spared())
    compute = rng.choice(["gate", "skip"])
    activations = ZeroHandling(True, compute, "bitmap", formats, rng.choice(places), None, spared())  # type: ignore[arg-type]
    hw = replace(
        two_levels,
        hierarchy=hierarchy,
        weights=weights,
        activations=activations,
        reserve=reserve(rng.choice([2, 50]), rng.choice(["refetched", "ignored", "never"])),
    )
    given = sparse_work(
        nest, PeriodicKernel(nest.kernel.shape, tuple(slots)), Fraction(rng.randrange(1, 8), 8)
    )
    objective = rng.choice(["energy", "dram", "delay", "edp"])
    return HierarchyLayer(given, Setting(hw, random_rules(rng), objective, 16, 16, 16))


@pytest.mark.parametrize("seed", range(40))
def test_the_search_is_the_best_of_all(seed: int, two_levels: HierarchyHardware) -> None:
    layer = small_sparse_layer(random.Random(seed), two_levels)
    every = every_goal(layer)
    if not every:
        return
    cost = best_cost(layer)
    assert cost.optimal
    assert goal(cost, layer.setting.objective) == min(every)
    assert cost.dram_bound_bits <= sum(a.bits for a in cost.accesses if a.level == "dram")


@pytest.mark.parametrize("seed", range(25))
def test_more_is_spared_and_nothing_gets_dearer(seed: int, two_levels: HierarchyHardware) -> None:
    rng = random.Random(seed)
    layer = small_sparse_layer(rng, two_levels)
    hw = layer.setting.hardware
    if not every_goal(layer):
        return
    energy = replace(layer, setting=replace(layer.setting, objective="energy"))

    def best(**changes: object) -> int:
        changed = replace(hw, **changes)  # type: ignore[arg-type]
        return best_cost(replace(energy, setting=replace(energy.setting, hardware=changed))).energy_aj

    own = best_cost(energy).energy_aj
    assert own <= best(weights=replace(hw.weights, spared=()))
    assert own <= best(activations=replace(hw.activations, spared=()))
    without = best(
        weights=replace(hw.weights, spared=(), compute="none"),
        activations=replace(hw.activations, spared=(), compute="none"),
    )
    assert own <= without


@pytest.mark.parametrize("seed", range(15))
def test_no_zeros_make_no_difference(seed: int, two_levels: HierarchyHardware) -> None:
    layer = small_sparse_layer(random.Random(seed), two_levels)
    dense = work(replace(layer.work.nest, kernel=PeriodicKernel(layer.work.nest.kernel.shape, _all(layer))))
    usual = replace(layer.setting.hardware, weights=PLAIN, activations=PLAIN, reserve=None)
    with_keys = HierarchyLayer(dense, layer.setting)
    without = HierarchyLayer(dense, replace(layer.setting, hardware=usual))
    if every_goal(without):
        assert best_cost(with_keys) == best_cost(without)


def _all(layer: HierarchyLayer) -> tuple[tuple[int, ...], ...]:
    return (tuple(range(layer.work.nest.kernel.shape[2] * layer.work.nest.kernel.shape[3])),)


@pytest.mark.parametrize("seed", range(8))
def test_lanes_wait_for_the_fewest_zeros(seed: int, two_levels: HierarchyHardware) -> None:
    rng = np.random.default_rng(seed)
    nest = replace(conv(8, 4, 3), kernel=MaskKernel(rng.random((8, 4, 3, 3)) < 0.4))
    skip = ZeroHandling(True, "skip", "bitmap", lanes="waiting")
    axis = SpatialAxis("X", 8, "MC")
    nodes = (level("dram", None, 1), level("buffer", None, 1), axis, level("rf", 9999, 1))
    text = "buffer: M2; X: M4 C2; rf: C2 P3 Q3 R3 S3"
    hw = hardware(two_levels, nodes, ZeroHandling(True, "skip"), skip)
    given = sparse_work(nest, density=Fraction(2, 5))
    # channels of a lane: C2 in time is inside the axis, so a lane has channels 2 l and 2 l + 1
    total = Fraction(0)
    mask = nest.kernel.mask()
    for m in range(2):
        most = max(int(mask[4 * m + f, 2 * c : 2 * c + 2].sum()) for f, c in product(range(4), range(2)))
        total += expected_most(most * 9, Fraction(2, 5), 8)
    assert cost_of(hw, given, text).cycles == -(-total.numerator // total.denominator)
    packed = cost_of(replace(hw, activations=replace(skip, lanes="packed")), given, text)
    gated = cost_of(replace(hw, activations=replace(skip, compute="gate", lanes=None)), given, text)
    assert packed.cycles <= cost_of(hw, given, text).cycles <= gated.cycles


def walked(nest: LoopNest, hw: HierarchyHardware, text: str) -> tuple[dict[int, int], int]:
    """Rounds by the products of their busiest lane, one product after the other; and how many lanes."""
    mapping = parse_mapping(text)
    order = [
        (node.name, isinstance(node, SpatialAxis), loop)
        for node in hw.hierarchy.nodes
        for loop in mapping.loops(node.name)
    ]
    last = max((i for i, (_, spatial, _) in enumerate(order) if spatial), default=-1)
    axis = order[last][0] if last >= 0 else ""
    last = max((i for i, (name, _, _) in enumerate(order) if name == axis), default=-1)
    mask = nest.kernel.mask()
    counts: dict[tuple[int, ...], dict[tuple[int, ...], int]] = {}
    for place in product(*(range(loop.trips) for _, _, loop in order)):
        at = dict.fromkeys("NGMCPQRS", 0)
        for number, (_, _, loop) in zip(place, order, strict=True):
            at[loop.dim] = at[loop.dim] * loop.trips + number
        case = tuple(
            number
            for i, (number, (_, spatial, loop)) in enumerate(zip(place, order, strict=True))
            if not spatial and (i <= last or loop.dim == "M")
        )
        lane = tuple(number for number, (_, spatial, _) in zip(place, order, strict=True) if spatial)
        lanes = counts.setdefault(case, {})
        lanes[lane] = lanes.get(lane, 0) + int(mask[at["M"], at["C"], at["R"], at["S"]])
    rounds: dict[int, int] = {}
    for lanes in counts.values():
        rounds[max(lanes.values())] = rounds.get(max(lanes.values()), 0) + 1
    return rounds, max(len(lanes) for lanes in counts.values())


@pytest.mark.parametrize(
    "text",
    [
        "buffer: M2; X: M2 C2; mid: C2 Q2; Y: R3; rf: P2 S3",
        "buffer: C2 P2 Q2; X: M4; mid: R3; Y: C2; rf: S3",
        "dram: M4; buffer: P2; X: Q2 S3; mid: C4; rf: R3",
        "dram: Q2; buffer: C2; X: M2; mid: P2; rf: M2 C2 R3 S3",
        "dram: P2 Q2; buffer: M4; mid: C4; rf: R3 S3",
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_rounds_product_by_product(seed: int, text: str, two_levels: HierarchyHardware) -> None:
    nodes = (
        level("dram", None, 1),
        level("buffer", None, 1),
        SpatialAxis("X", 8),
        level("mid", None, 1),
        SpatialAxis("Y", 4),
        level("rf", None, 1),
    )
    mask = np.random.default_rng(seed).random((4, 4, 3, 3)) < 0.5
    skip = ZeroHandling(True, "skip", "bitmap", lanes="waiting")
    hw = hardware(two_levels, nodes, ZeroHandling(True, "skip"), skip)
    given = sparse_work(conv(4, 4, 2), MaskKernel(mask), Fraction(1, 3))
    rounds, lanes = walked(given.nest, hw, text)
    layer = HierarchyLayer(given, Setting(hw, Rules(), "energy", 16, 16, 16))
    found, found_lanes = hierarchy_rounds(layer.walk(parse_mapping(text)))
    assert (dict(found), found_lanes) == (rounds, lanes)
    steps = sum(times * expected_most(most, Fraction(1, 3), lanes) for most, times in rounds.items())
    weights = replace(hw, activations=ZeroHandling(False, "none"))
    assert cost_of(hw, given, text).cycles == min(ceil_fraction(steps), cost_of(weights, given, text).cycles)


def test_filters_side_by_side_share_their_inputs(two_levels: HierarchyHardware) -> None:
    # dense weights: lanes along M have the same zeros and do not wait for each other. A round is 4 outputs
    # of 9 taps; C2 in time outside the axis, and M2 inside it with the same inputs again, make four
    nodes = (level("dram", None, 1), level("buffer", None, 1), SpatialAxis("X", 4), level("rf", None, 1))
    skip = ZeroHandling(False, "skip", lanes="waiting")
    hw = hardware(two_levels, nodes, PLAIN, skip)
    given = sparse_work(conv(4, 4, 2), density=Fraction(1, 3))
    cost = cost_of(hw, given, "buffer: C2; X: C2 M2; rf: M2 P2 Q2 R3 S3")
    assert cost.cycles == ceil_fraction(4 * expected_most(36, Fraction(1, 3), 2))
    alone = cost_of(hw, given, "buffer: C4; X: M4; rf: P2 Q2 R3 S3")
    assert alone.cycles == 4 * 36 // 3
