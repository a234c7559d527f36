"""The larger space of mappings: run word by word, against evaluator, search and cost model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest
from support import blocks

from energysim.cost import OBJECTIVES, Setting
from energysim.cost.two_level import TwoLevel
from energysim.errors import CapacityError, UsageError
from energysim.kernels import DenseKernel
from energysim.mapping import (
    PRESETS,
    Fetches,
    Goal,
    PartTiling,
    Room,
    Rules,
    Steps,
    Sweep,
    Tiling,
    is_larger,
    moved_by,
    search,
    search_larger,
    taken_by,
)
from energysim.mapping.band_space import BandSpace
from energysim.mapping.live import live
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload

from .brute_force import Counts, every_mapping, needed, steps, tile_sizes
from .brute_force import run as run_even
from .independent_cost import IndependentCost, ranking
from .larger_brute_force import (
    Part,
    Run,
    Stepped,
    Swept,
    every_part,
    every_step,
    every_sweep,
    run_part,
    run_steps,
    run_sweep,
)
from .random_layers import larger_rules, random_axis, random_nest, random_setting, random_work

#: Room in words: a 2D kernel, an input, a sum.
WORDS = Room(None, None, 0, lambda m, c: m * c, 1, 1)
LARGER = Rules(residence="uneven", overlap="both-axes")


Other = Part | Swept | Stepped


def mapped(mapping: Other) -> PartTiling | Sweep | Steps:
    if isinstance(mapping, Swept):
        return Sweep(mapping.filters, mapping.channels, mapping.along, mapping.band, mapping.keeps)
    if isinstance(mapping, Stepped):
        return Steps(mapping.images, mapping.filters, mapping.along, mapping.band, mapping.step)
    return PartTiling(Tiling(mapping.tiles, mapping.order), mapping.tensor, mapping.kept)


def run(nest: LoopNest, mapping: Other, rules: Rules) -> Run:
    if isinstance(mapping, Swept):
        return run_sweep(nest, mapping, rules)
    if isinstance(mapping, Stepped):
        return run_steps(nest, mapping, rules)
    return run_part(nest, mapping, rules)


def every_other(nest: LoopNest, rules: Rules, along: str) -> list[Other]:
    """All mappings that the rules add to the even tiles; weights are kept in part along some dimensions."""
    found: list[Other] = []
    if rules.residence == "uneven":
        found += every_part(nest, rules, along)
    if rules.overlap == "both-axes":
        found += [*every_sweep(nest, rules), *every_step(nest, rules)]
    return found


def alike(taps: Any, periodic: bool) -> str:
    """Along which dimensions all weights are alike, of kernels with so many taps (filters x channels)."""
    if (taps == taps[0, 0]).all():
        return "CM"
    channels, filters = taps.sum(axis=0), taps.sum(axis=1)
    along = "C" * bool((channels == channels[0]).all()) + "M" * bool((filters == filters[0]).all())
    return along if periodic else ""


def agree(nest: LoopNest, mapping: Other, rules: Rules) -> Run:
    """Compare the evaluator with what is seen when the mapping runs; return that."""
    found, moved = run(nest, mapping, rules), moved_by(nest, mapped(mapping), rules)
    counts, context = found.counts, (nest, mapping, rules)
    kernels = nest.groups * nest.filters * nest.channels
    taps = nest.kernel.shape[2] * nest.kernel.shape[3]
    assert counts.places == moved.weight_passes * kernels * taps, context
    unit = mapping.order[0] if isinstance(mapping, Part) and mapping.tensor == "weights" else ""
    if unit in alike(nest.kernel.mask().sum(axis=(2, 3)), True):
        assert counts.weights == moved.weight_passes * nest.kernel.nonzeros, context
    assert counts.inputs == moved.input_elements, context
    outputs = nest.output_elements
    assert counts.sums_out == counts.sums_in == (moved.output_visits - 1) * outputs, context
    assert counts.finished == counts.first_reads == outputs, context
    assert taken_by(nest, mapped(mapping), rules, WORDS) == peaks(mapping, found, rules), context
    return found


def peaks(mapping: Other, found: Run, rules: Rules) -> tuple[int, int, int]:
    """2D kernels, inputs and sums that need room; a sweep that holds sums has room for an input."""
    held = 2 if rules.double_buffering == "yes" else 1
    inputs = found.inputs
    if isinstance(mapping, Swept) and mapping.keeps == "sums":
        inputs = max(inputs, 1)
    return held * found.kernels, held * inputs, held * found.sums


@pytest.mark.parametrize("batch", range(10))
def test_what_is_loaded_and_held(batch: int) -> None:
    """Loads and the most that is held, to the word, of some mappings of many layers."""
    for seed in range(30 * batch, 30 * batch + 30):
        draw = Random(seed)
        nest, rules = random_nest(draw, 5), larger_rules(draw)
        parts = list(every_part(nest, rules, "CM"))
        for mapping in draw.sample(parts, min(len(parts), 6)):
            agree(nest, mapping, rules)
        if rules.overlap == "both-axes":
            for kind in (list(every_sweep(nest, rules)), list(every_step(nest, rules))):
                for mapping in draw.sample(kind, min(len(kind), 3)):
                    agree(nest, mapping, rules)


@pytest.mark.parametrize("seed", range(60))
def test_what_a_sweep_holds(seed: int) -> None:
    """The most that is held, against sets with a look ahead, on planes of all kinds."""
    draw = Random(seed)
    turned = draw.random() < 0.25
    length, across = random_axis(draw, 6, turned), random_axis(draw, 6, turned)
    rules = Rules(padding=draw.choice(["skipped", "fetched"]))
    down = [needed(length, range(o, o + 1), rules) for o in range(length.outputs)]
    right = [needed(across, range(o, o + 1), rules) for o in range(across.outputs)]
    band = draw.randint(1, across.outputs)
    most = Counter[str]()
    for first in range(0, across.outputs, band):
        outputs = [
            (r, c) for r in range(length.outputs) for c in range(first, min(first + band, across.outputs))
        ]
        windows = [{(y, x) for y in down[r] for x in right[c]} for r, c in outputs]
        inputs = sorted(set().union(*windows))
        reached = [{o for o, window in zip(outputs, windows, strict=True) if i in window} for i in inputs]
        for keeps, needs in (("inputs", windows), ("sums", reached)):
            held: set[tuple[int, int]] = set()
            for number, mine in enumerate(needs):
                held |= mine
                most[keeps] = max(most[keeps], len(held))
                held &= set().union(*needs[number + 1 :])
    for keeps in ("inputs", "sums"):
        assert live(length, across, band, keeps, rules) == most[keeps]


def fits(work: MacWorkload, setting: Setting, own: IndependentCost, mapping: Other, found: Run) -> bool:
    """Whether there is room for what a mapping holds, and for the fullest tile of weights at any place."""
    kernels, inputs, sums = peaks(mapping, found, setting.rules)
    held = 2 if setting.rules.double_buffering == "yes" else 1
    if isinstance(mapping, Part):
        tiles = [mapping.tiles[1:3]]
    else:
        tiles = [(mapping.filters, mapping.channels if isinstance(mapping, Swept) else 1)]
    if isinstance(mapping, Part) and mapping.tensor == "weights":
        # What stays, and the tile that is streamed beside it, unless all stay.
        (m, c), kept = mapping.tiles[1:3], mapping.kept
        if mapping.order[0] == "C":
            tiles = [(m, kept)] + [(m, c)] * (kept < work.nest.channels)
        else:
            tiles = [(kept, c)] + [(m, c)] * (kept < work.nest.filters)
    taps = own.mask.sum(axis=(2, 3))
    most = 0
    for m, c in tiles:
        places = product(range(taps.shape[0] - m + 1), range(taps.shape[1] - c + 1))
        most += max(int(taps[f : f + m, d : d + c].sum()) for f, d in places)
    assert found.existing <= most
    weights = own.weight_bits(held * most, kernels * own.mask[0, 0].size) + own.table
    needs = weights, inputs * own.a_bits, sums * own.acc
    buffer = setting.hardware.buffer
    if buffer.partitions is None:
        return sum(needs) <= (buffer.capacity_bits or 0)
    parts = buffer.partitions
    return needs[0] <= parts.weights and needs[1] <= parts.inputs and needs[2] <= parts.outputs


def check(seed: int, most: int = 400) -> bool:
    """Compare the search with all mappings of one layer; False if it is too large for that."""
    draw = Random(seed)
    work, rules = random_work(draw), larger_rules(draw)
    nest = work.nest
    if steps(nest, rules.even) > 6 * most:
        return False
    setting = random_setting(draw, work, rules)
    own = IndependentCost(work, setting)
    taps = own.mask.sum(axis=(2, 3))
    others = every_other(nest, rules, "CM" if own.kind == "dense" else alike(taps, own.kind == "periodic"))
    if len(others) > most:
        return False
    fitting: set[Counts] = set()
    for _, tiles, orders in every_mapping(nest, rules.even):
        if own.fits(tiles):
            fitting |= {run_even(tiles, order) for order in orders}
    for mapping in others:
        found = run(nest, mapping, rules)
        if fits(work, setting, own, mapping, found):
            fitting.add(found.counts)
    for objective in OBJECTIVES:
        best = min((ranking(objective, own.of(counts)) for counts in fitting), default=None)
        try:
            (cost,) = TwoLevel().evaluate((work,), replace(setting, objective=objective))
        except CapacityError:
            assert best is None, (seed, objective)
            continue
        dram = sum(row.bits for row in cost.accesses if row.level == "dram")
        reached = {"energy": cost.energy_aj, "dram": dram, "cycles": cost.cycles}
        assert ranking(objective, reached) == best, (seed, objective, cost.mapping)
        assert cost.optimal and cost.compulsory_bits <= cost.dram_bound_bits <= dram
    return True


@pytest.mark.parametrize("batch", range(6))
def test_the_search_finds_the_best_of_all_mappings(batch: int) -> None:
    assert sum(check(seed) for seed in range(8 * batch, 8 * batch + 8)) > 2


def test_gaps_that_only_large_tiles_fetch() -> None:
    """Untouched inputs between the windows of a tile are fetched: the whole axis is not the least."""
    assert check(455, 3_000)


@pytest.mark.slow
@pytest.mark.parametrize("batch", blocks(range(4, 24), 2))
def test_the_search_finds_the_best_of_all_mappings_of_many_layers(batch: int) -> None:
    assert sum(check(seed, 3_000) for seed in range(30 * batch, 30 * batch + 30)) > 10


def conv(filters: int, channels: int, rows: Axis, cols: Axis, batch: int = 1, groups: int = 1) -> LoopNest:
    kernel = DenseKernel((groups * filters, channels, rows.window, cols.window))
    return LoopNest(batch, groups, filters, channels, rows, cols, kernel)


#: 6 filters, 4 channels, 3 x 3 windows with padding 1 on a 6 x 8 map.
LAYER = conv(6, 4, Axis(6, 6, 3, 1, 1, 1), Axis(8, 8, 3, 1, 1, 1))


def test_channels_of_weights_stay() -> None:
    """Tiles of 3 filters and 6 x 4 outputs: two passes over the positions, inputs in columns 0-4 and 3-7."""
    mapping = PartTiling(Tiling((1, 3, 1, 6, 4), "CPQNM"), "weights", 2)
    moved = moved_by(LAYER, mapping, LARGER)
    # Two channels of four once, two twice; inputs of 6 x 10 positions, once per tile of filters.
    assert moved == Fetches(Fraction(3, 2), 4 * 60 * 2, 1)
    # Two channels in residence and one streamed; one channel of inputs; sums of a tile.
    assert taken_by(LAYER, mapping, LARGER, WORDS) == (3 * 3, 6 * 5, 3 * 24)
    assert str(mapping) == "tile N1 M3 C1 P6 Q4, loops CPQNM, 2 channels of weights stay"


def test_channels_of_inputs_stay() -> None:
    mapping = PartTiling(Tiling((1, 2, 1, 6, 4), "CMQPN"), "inputs", 2)
    # Two channels once, columns 3 and 4 kept: 6 x 8; two channels three times, 6 x 10 each.
    assert moved_by(LAYER, mapping, LARGER) == Fetches(2, 2 * 48 + 2 * 60 * 3, 1)
    assert taken_by(LAYER, mapping, LARGER, WORDS) == (2, 3 * 30, 2 * 24)
    # Without overlap, and along the other axis, which has one tile, nothing is shared.
    none = replace(LARGER, overlap="none")
    assert moved_by(LAYER, mapping, none).input_elements == 2 * 60 + 2 * 60 * 3
    # All channels in residence: nothing is streamed beside them.
    whole = replace(mapping, kept=4)
    assert moved_by(LAYER, whole, LARGER) == Fetches(2, LAYER.touched_inputs, 1)
    assert taken_by(LAYER, whole, LARGER, WORDS) == (2, 4 * 30, 2 * 24)


def test_filters_stay() -> None:
    mapping = PartTiling(Tiling((1, 1, 2, 3, 8), "MPQNC"), "weights", 4)
    # Four filters of six once, two twice; inputs once; sums go out and come back once.
    assert moved_by(LAYER, mapping, LARGER) == Fetches(Fraction(4, 3), LAYER.touched_inputs, 2)
    assert taken_by(LAYER, mapping, LARGER, WORDS) == (5 * 2, 2 * 4 * 8, 24)
    assert str(mapping).endswith("loops MPQNC, 4 filters of weights stay")


def test_sweeps() -> None:
    """Bands of 4 columns of 8: 5 columns of inputs each, 6 x 10 positions of a channel in all."""
    lines = Sweep(3, 2, "Q", 4, "inputs")
    assert moved_by(LAYER, lines, LARGER) == Fetches(1, 4 * 60 * 2, 2)
    # In a band of columns 0-4: two rows, and three of the row below.
    assert taken_by(LAYER, lines, LARGER, WORDS) == (6, 2 * (2 * 5 + 3), 3)
    sums = replace(lines, keeps="sums")
    assert moved_by(LAYER, sums, LARGER) == moved_by(LAYER, lines, LARGER)
    # An input is added to three rows of three sums: two rows of 4, and three of the third.
    assert taken_by(LAYER, sums, LARGER, WORDS) == (6, 1, 3 * (2 * 4 + 3))
    whole = Sweep(6, 4, "P", 6, "sums")
    assert moved_by(LAYER, whole, LARGER) == Fetches(1, LAYER.touched_inputs, 1)
    assert taken_by(LAYER, whole, LARGER, WORDS) == (24, 1, 6 * (2 * 6 + 3))
    double = replace(LARGER, double_buffering="yes")
    assert taken_by(LAYER, whole, double, WORDS) == (48, 2, 2 * 6 * 15)


@pytest.mark.parametrize(
    "mapping",
    [
        PartTiling(Tiling((1, 3, 4, 6, 4), "CPQNM"), "weights", 2),  # nothing is streamed
        PartTiling(Tiling((1, 3, 1, 6, 4), "CPQNM"), "weights", 3),  # all would stay
        PartTiling(Tiling((1, 3, 1, 6, 4), "CPQNM"), "weights", 0),
        PartTiling(Tiling((1, 3, 1, 6, 4), "CPQNM"), "weights", 5),
        PartTiling(Tiling((1, 3, 1, 6, 4), "PCQNM"), "weights", 2),
        PartTiling(Tiling((1, 3, 1, 6, 4), "CPQNM"), "inputs", 2),
        PartTiling(Tiling((1, 3, 1, 6, 4), "CMPQN"), "outputs", 2),
        PartTiling(Tiling((1, 3, 1, 7, 4), "CPQNM"), "weights", 2),
        Sweep(7, 1, "Q", 1, "sums"),
        Sweep(1, 1, "Q", 9, "sums"),
        Sweep(1, 1, "N", 1, "sums"),
        Sweep(1, 1, "P", 1, "weights"),
    ],
)
def test_mappings_that_are_none(mapping: PartTiling | Sweep) -> None:
    with pytest.raises(ValueError):
        moved_by(LAYER, mapping, LARGER)


@pytest.mark.parametrize("tiles", ["all", "divisors"])
def test_the_size_of_the_space(tiles: str) -> None:
    """Against a list of all mappings, of tiles that are the smallest of their trip count."""
    nest = conv(4, 6, Axis(5, 5), Axis(3, 3, 3, 1, 1, 1), batch=2)
    rules = replace(LARGER, tiles=tiles)
    sizes = 2, 4, 6, 5, 3
    searched = [
        {-(-size // -(-size // t)) for t in range(1, size + 1)}
        if tiles == "all"
        else set(tile_sizes(size, tiles))
        for size in sizes
    ]
    listed = every_part(nest, rules, "CM")
    parts = sum(all(t in mine for t, mine in zip(p.tiles, searched, strict=True)) for p in listed)
    _, filters, channels, rows, cols = map(len, searched)
    sweeps = 2 * (rows + cols) * filters * channels + 2 * rows * cols * filters * len(searched[0])
    goal = words_moved(nest)
    even = search(nest, rules.even, WORDS, goal).mappings
    assert search_larger(nest, rules, WORDS, goal, "CM").mappings == even + parts + sweeps
    only_inputs = search_larger(nest, rules, WORDS, goal, "").mappings
    assert even + sweeps < only_inputs < even + parts + sweeps


def words_moved(nest: LoopNest, width: int = 1) -> Goal:
    """Words between DRAM and the chip, sums as wide as outputs; weights of so many words."""
    shape = nest.kernel.shape
    weights, outputs = width * shape[0] * shape[1] * shape[2] * shape[3], nest.output_elements

    def exact(moved: Fetches) -> tuple[int, ...]:
        words = moved.weight_passes * weights + moved.input_elements + (2 * moved.output_visits - 1) * outputs
        assert words == int(words)
        return (int(words),)

    def bound(passes: Any, inputs: Any, visits: Any) -> Any:
        return passes * weights + inputs + (2 * visits - 1) * outputs

    return Goal(bound, exact)


@pytest.mark.parametrize("seed", range(40))
def test_order_of_spaces(seed: int) -> None:
    """A larger space and a larger buffer never cost more; what is chosen costs the same again."""
    draw = Random(seed)
    nest, rules = random_nest(draw, 12), larger_rules(draw)
    taps, goal = nest.kernel.shape[2] * nest.kernel.shape[3], words_moved(nest)
    full = nest.kernel.nonzeros + nest.input_elements + nest.output_elements
    found = []
    for share in (12, 6, 3, 1):
        room = Room(full // share + 1, None, 3, lambda m, c: m * c * taps, 1, 1)
        even, larger = search(nest, rules.even, room, goal), search_larger(nest, rules, room, goal, "CM")
        if larger.schedule is None or larger.moved is None:
            assert even.moved is None and larger.smallest is not None
            assert not room.holds(larger.smallest)
            enough = replace(room, capacity=sum(larger.smallest))
            assert search_larger(nest, rules, enough, goal, "CM").schedule is not None
            assert search_larger(
                nest, rules, replace(enough, capacity=sum(larger.smallest) - 1), goal, "CM"
            ) == (replace(larger))
            continue
        assert even.moved is None or goal.exact(larger.moved) <= goal.exact(even.moved)
        if even.moved is not None and goal.exact(larger.moved) == goal.exact(even.moved):
            assert larger.schedule == even.tiling
        assert room.holds(taken_by(nest, larger.schedule, rules, room))
        assert moved_by(nest, larger.schedule, rules) == larger.moved
        for changes in ({"residence": "even"}, {"overlap": rules.even.overlap}):
            smaller = search_larger(nest, replace(rules, **changes), room, goal, "CM")
            assert smaller.moved is None or goal.exact(larger.moved) <= goal.exact(smaller.moved)
        found.append(goal.exact(larger.moved))
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("batch", range(5))
def test_no_mapping_that_fits_is_better(batch: int) -> None:
    """With room for exactly what some mapping takes, the search finds that or a better one."""
    for seed in range(20 * batch, 20 * batch + 20):
        draw = Random(seed)
        nest, rules = random_nest(draw, 9), replace(larger_rules(draw), tiles="all")
        goal = words_moved(nest, draw.choice([1, 10]))
        others = every_other(nest, rules, "CM")
        for mapping in draw.sample(others, min(len(others), 5)):
            # Inputs may be compressed on chip: room by the number of elements and of channels.
            room = replace(WORDS, input_room=draw.choice([None, lambda e, p: (3 * e + 3) // 4 + p]))
            taken = taken_by(nest, mapped(mapping), rules, room)
            room = replace(room, parts=taken) if draw.random() < 0.5 else replace(room, capacity=sum(taken))
            best = search_larger(nest, rules, room, goal, "CM")
            assert best.moved is not None
            value = goal.exact(moved_by(nest, mapped(mapping), rules))
            assert goal.exact(best.moved) <= value, (seed, mapping)


@pytest.mark.parametrize("capacity", [40, 80, 160])
def test_every_band_in_steps_that_fits_is_looked_at(capacity: int) -> None:
    """Or one that moves no more of anything; of any number of images at a time."""
    nest = conv(2, 3, Axis(3, 5, 3, 2, 1, 1), Axis(4, 4, 3, 1, 1, 1), batch=3)
    room, kernels = replace(WORDS, capacity=capacity), nest.filters * nest.channels
    looked_at = [
        (read / kernels, inputs)
        for points in BandSpace(nest, LARGER, room, 0).points()
        if points.family >= 4
        for read, inputs in zip(points.read.tolist(), points.inputs.tolist(), strict=True)
    ]
    images = set()
    for mapping in every_step(nest, LARGER):
        if room.holds(taken_by(nest, mapped(mapping), LARGER, room)):
            moved = moved_by(nest, mapped(mapping), LARGER)
            assert any(w <= moved.weight_passes and i <= moved.input_elements for w, i in looked_at)
            images.add(mapping.images)
    assert images == {1, 2, 3}


def test_a_larger_space_is_asked_for() -> None:
    assert not any(is_larger(Rules(overlap=value)) for value in ("one-axis", "none"))
    assert is_larger(Rules(overlap="both-axes")) and is_larger(Rules(residence="uneven"))
    assert PRESETS["larger"] == LARGER


def test_inputs_that_no_window_touches_are_refused() -> None:
    rules = replace(LARGER, untouched="fetched")
    with pytest.raises(
        UsageError, match=r"overlap=both-axes.*untouched=skipped.*not with 'untouched=fetched'"
    ):
        search_larger(LAYER, rules, WORDS, words_moved(LAYER), "CM")
    with pytest.raises(ValueError, match="no sweep"):
        moved_by(LAYER, Sweep(1, 1, "Q", 1, "sums"), rules)
    uneven = replace(rules, overlap="one-axis")
    assert search_larger(LAYER, uneven, WORDS, words_moved(LAYER), "CM").schedule is not None
