"""The search against every mapping of the space, on small random problems."""

from __future__ import annotations

import random
import re
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from support import blocks

from energysim.cost import hierarchy_search
from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.cost.hierarchy_search import best_cost
from energysim.errors import CapacityError
from energysim.hardware.core import ZeroHandling
from energysim.hardware.hierarchy import TENSORS, Hierarchy, HierarchyHardware, SpatialAxis
from energysim.kernels import DenseKernel, PeriodicKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy import choices, lattice, run, search
from energysim.mapping.hierarchy.capacity import nothing_fits
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.counts import count
from energysim.mapping.hierarchy.mapping import Mapping, MappingError, parse_mapping
from energysim.mapping.hierarchy.prices import Prices
from energysim.mapping.hierarchy.search import Found, Unsearchable, least_value, search_mapping
from energysim.mapping.hierarchy.space import space_size
from energysim.mapping.hierarchy.states import States
from energysim.windows import Axis
from energysim.workload import LoopNest

from .base import DIMS, INPUTS, bits_per_cycle, conv, level, pj, random_axis
from .brute_force import all_mappings, best_of_all, number_of_mappings, total
from .test_hierarchy_timeloop import CASES, ROWS, setting, work

Table = dict[tuple[str, str, str], int]


def random_hierarchy(rng: random.Random, deep: bool = False) -> Hierarchy:
    """One or two inner levels and at most one axis (deep: two or three, and up to two), constrained."""
    returned = rng.choice(["one", "one", "all"])
    parts = ["level"] * rng.choice([2, 3] if deep else [1, 1, 2])
    parts += ["axis"] * rng.randrange(0, 3 if deep else 2)
    rng.shuffle(parts)
    nodes: list[object] = [level("dram", None, 1)]
    for number, part in enumerate(parts, 1):
        loops = "".join(dim for dim in DIMS if rng.random() < 0.6)
        if part == "axis":
            shared = tuple(t for t in TENSORS if rng.random() < 0.7)
            if "outputs" not in shared and returned == "all":
                loops = "".join(dim for dim in loops if dim not in "CRS")
            nodes.append(
                SpatialAxis(f"A{number}", rng.choice([2, 3, 4, 6]), loops, shared, rng.random() < 0.5)
            )
        else:
            out = tuple(t for t in TENSORS if rng.random() < 0.3)
            out = out if len(out) < 3 else ()
            keep = tuple(t for t in TENSORS if t not in out and rng.random() < 0.8)
            words = rng.choice([None, 8, 16, 30, 60])
            nodes.append(level(f"L{number}", words, 1, bypass=out, keep=keep, loops=loops))
    return Hierarchy(tuple(nodes), rules=(("returned_sums", returned),))


def random_problem(rng: random.Random, most: int, deep: bool = False) -> tuple[Hierarchy, LoopNest]:
    hierarchy = random_hierarchy(rng, deep)
    while True:
        n, g = rng.choice([1, 1, 1, 2]), rng.choice([1, 1, 1, 2])
        m, c = rng.choice([1, 2, 3, 4]), rng.choice([1, 2, 3, 4])
        rows, cols = random_axis(rng), random_axis(rng)
        kernel = DenseKernel((g * m, c, rows.window, cols.window))
        nest = LoopNest(n, g, m, c, rows, cols, kernel)
        if space_size(hierarchy, nest) < most:
            return hierarchy, nest


def random_rules(rng: random.Random) -> Rules:
    return Rules(
        tiles="divisors",
        padding=rng.choice(["skipped", "fetched"]),
        untouched=rng.choice(["skipped", "fetched"]),
        overlap=rng.choice(["one-axis", "one-axis", "none"]),
        drain=rng.choice(["counted", "elided"]),
        first_read=rng.choice(["elided", "elided", "counted"]),
    )


def random_prices(rng: random.Random, hierarchy: Hierarchy) -> Table:
    found = {}
    for node in hierarchy.nodes:
        actions = ("transfer",) if isinstance(node, SpatialAxis) else ("read", "fill", "update", "drain")
        for tensor in TENSORS:
            for action in actions:
                found[node.name, tensor, action] = rng.choice([0, 1, 2, 5, 20, 100])
    return found


def searched(
    hierarchy: Hierarchy, nest: LoopNest, rules: Rules, prices: Table, per_step: int = 0
) -> tuple[Found, int | None]:
    """What the search finds, and its value counted by the evaluator."""
    table = Prices({key: (float(price),) for key, price in prices.items()}, (-1,))
    found = search_mapping(
        hierarchy, nest, rules, (16, 16, 16), table,
        lambda cost, lanes: cost[:, 0] + per_step * nest.dense_macs / lanes,
    )  # fmt: skip
    if found.mapping is None:
        return found, None
    counts = count(checked(hierarchy, found.mapping, nest, rules, (16, 16, 16)))
    value = total(counts, prices) + per_step * counts.steps
    assert found.value == pytest.approx(value, rel=1e-9)
    return found, value


def compare(seed: int, most: int, deep: bool = False) -> None:
    rng = random.Random(seed)
    hierarchy, nest = random_problem(rng, most, deep)
    rules, prices, per_step = random_rules(rng), random_prices(rng, hierarchy), rng.choice([0, 0, 7])
    least, _ = best_of_all(
        hierarchy, nest, rules, lambda counts, _: total(counts, prices) + per_step * counts.steps
    )
    found, value = searched(hierarchy, nest, rules, prices, per_step)
    assert value == least, f"seed {seed}: {found.mapping} costs {value}, the best {least}"
    assert found.mappings == number_of_mappings(hierarchy, nest)


@pytest.mark.parametrize("block", range(12))
def test_equal_to_brute_force(block: int) -> None:
    for seed in range(block * 10, block * 10 + 10):
        compare(seed, 600)


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_BEAMS", (3, 6))
    monkeypatch.setattr(search, "_MANY", 30)
    for module, name, value in (
        (run, "_TRIED", 4),
        (run, "_LOOPS", 10),
        (choices, "BLOCK", 20),
        (choices, "_PAIRS", 30),
        (lattice, "_BITS", 12),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("block", range(4))
def test_equal_to_brute_force_in_small_pieces(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)
    for seed in range(1000 + block * 10, 1010 + block * 10):
        compare(seed, 600, deep=True)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(range(20)))
def test_equal_to_brute_force_on_deep_hierarchies(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)
    for seed in range(8000 + block * 20, 8020 + block * 20):
        compare(seed, 2500, deep=True)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(range(40)))
def test_equal_to_brute_force_on_many(block: int) -> None:
    for seed in range(5000 + block * 25, 5000 + block * 25 + 25):
        compare(seed, 2500)


def with_limits(rng: random.Random, hierarchy: Hierarchy) -> Hierarchy:
    """Random energies, bandwidths, leakages, ramp-ups and network prices."""
    nodes = []
    for node in hierarchy.nodes:
        if isinstance(node, SpatialAxis):
            network = rng.choice([None, pj(rng.choice([1, 3]))])
            nodes.append(replace(node, network=network, word_bits=rng.choice([8, 16])))
            continue
        each = {kind: pj(rng.choice([0, 1, 6, 200])) for kind in ("read", "fill", "update")}
        for kind in ("bandwidth", "read_bandwidth", "write_bandwidth"):
            each[kind] = rng.choice([None, None, bits_per_cycle(rng.choice([4, 16, 64]))])
        each["leakage"] = rng.choice([None, pj(5)])
        waits = [t for t in TENSORS[:2] if t not in node.bypass and rng.random() < 0.3]
        each["ramp_up"] = tuple((t, bits_per_cycle(rng.choice([4, 64]))) for t in waits)
        nodes.append(replace(node, **each))
    return replace(hierarchy, nodes=tuple(nodes), leakage=rng.choice([None, pj(3)]))


def goal(cost: LayerCost, objective: str) -> tuple[int, ...]:
    dram = sum(a.bits for a in cost.accesses if a.level == "dram")
    return {
        "energy": (cost.energy_aj,),
        "dram": (dram, cost.energy_aj),
        "delay": (cost.cycles, cost.energy_aj),
        "edp": (cost.energy_aj * cost.cycles,),
    }[objective]


def compare_objective(seed: int, objective: str, hardware: HierarchyHardware) -> None:
    """The cost model's best against every mapping's cost."""
    rng = random.Random(seed)
    plain, nest = random_problem(rng, 300)
    hierarchy = with_limits(rng, plain)
    given = Setting(replace(hardware, hierarchy=hierarchy), random_rules(rng), objective, 16, 16, 16)
    layer = HierarchyLayer(work(nest), given)
    cost = best_cost(layer)
    assert goal(cost, objective) == min(every_goal(layer)), f"seed {seed}: {cost.mapping}"
    assert cost.optimal and cost.mappings == number_of_mappings(hierarchy, nest)


@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
@pytest.mark.parametrize("block", range(5))
def test_every_objective_of_the_cost_model(block: int, objective: str, two_levels: HierarchyHardware) -> None:
    for seed in range(block * 5, block * 5 + 5):
        compare_objective(seed, objective, two_levels)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
@pytest.mark.parametrize("block", blocks(range(20)))
def test_every_objective_on_many(block: int, objective: str, two_levels: HierarchyHardware) -> None:
    for seed in range(1000 + block * 20, 1020 + block * 20):
        compare_objective(seed, objective, two_levels)


@pytest.mark.parametrize("seed", range(30))
def test_a_larger_space_never_costs_more(seed: int) -> None:
    rng = random.Random(seed)
    hierarchy, nest = random_problem(rng, 10**7)
    rules, prices = random_rules(rng), random_prices(rng, hierarchy)
    _, value = searched(hierarchy, nest, rules, prices)
    freer = [
        replace(
            node,
            loops=DIMS if not isinstance(node, SpatialAxis) or "outputs" in node.shared else node.loops,
            **({"size": 2 * node.size} if isinstance(node, SpatialAxis) else {}),
            **({} if isinstance(node, SpatialAxis) or node.capacity_bits is None else {
                "capacity_bits": 2 * node.capacity_bits, "keep": ()
            }),
        )
        for node in hierarchy.nodes
    ]  # fmt: skip
    _, more = searched(replace(hierarchy, nodes=tuple(freer)), nest, rules, prices)
    assert value is None or (more is not None and more <= value)


@pytest.mark.parametrize("seed", range(20))
def test_rows_and_columns_are_alike(seed: int) -> None:
    rng = random.Random(seed)
    hierarchy, nest = random_problem(rng, 10**6)
    rules, prices = random_rules(rng), random_prices(rng, hierarchy)
    swap = str.maketrans("PQRS", "QPSR")
    turned = replace(
        hierarchy, nodes=tuple(replace(n, loops=n.loops.translate(swap)) for n in hierarchy.nodes)
    )
    shape = nest.kernel.shape
    other = replace(
        nest, rows=nest.cols, cols=nest.rows, kernel=DenseKernel((shape[0], shape[1], shape[3], shape[2]))
    )
    assert searched(hierarchy, nest, rules, prices)[1] == searched(turned, other, rules, prices)[1]


@pytest.mark.parametrize("name", CASES)
def test_never_worse_than_the_random_search_of_timeloop(name: str) -> None:
    nest, text, _ = CASES[name]
    (cost,) = HierarchyModel().evaluate((work(nest),), setting())
    assert cost.energy_aj <= evaluate_mapping(work(nest), setting(), parse_mapping(text)).energy_aj
    per_mac = 1000 * cost.energy_aj / 10**6 / nest.macs
    assert per_mac < float(ROWS[name]["fJ_per_MAC_Total"])
    assert cost.optimal


def test_size_of_the_space() -> None:
    for seed in range(40):
        hierarchy, nest = random_problem(random.Random(seed), 10**5)
        assert space_size(hierarchy, nest) == number_of_mappings(hierarchy, nest)
    # 2 x 2 x 3 levels and axes by hand: M 4 = 2^2 over dram, buffer, X; orders 1! and 1!
    three = Hierarchy((level("dram", None, 1), level("buffer", 8, 1), SpatialAxis("X", 4, "M")))
    nest = conv(4, 1, 1, window=1)
    assert space_size(three, nest) == 6 * 7  # 6 factorisations, 2^3 - 1 ways to bypass


def test_what_cannot_be_proven_is_refused() -> None:
    lone = Hierarchy(
        (level("dram", None, 1), SpatialAxis("X", 2, "C", (INPUTS,)), level("rf", 99, 1)),
        rules=(("returned_sums", "all"),),
    )
    with pytest.raises(Unsearchable, match="'X' takes loops over C, R or S but does not add up"):
        searched(lone, conv(4, 4, 4), Rules(tiles="divisors"), {})


def sparse_layer(rng: random.Random, two_levels: HierarchyHardware, compute: str) -> HierarchyLayer:
    """A periodic kernel, on hardware that stores it compressed or skips its zeros."""
    plain, nest = random_problem(rng, 300)
    taps = nest.kernel.shape[2] * nest.kernel.shape[3]
    slots = [
        tuple(sorted(rng.sample(range(taps), rng.randrange(1, taps + 1)))) for _ in range(rng.choice([1, 2]))
    ]
    nest = replace(nest, kernel=PeriodicKernel(nest.kernel.shape, tuple(slots)))
    zeros = ZeroHandling(stored_compressed=compute != "skip" or rng.random() < 0.5, compute=compute)
    hardware = replace(two_levels, hierarchy=with_limits(rng, plain), weights=zeros)
    objective = rng.choice(["energy", "dram", "delay", "edp"])
    return HierarchyLayer(work(nest), Setting(hardware, random_rules(rng), objective, 16, 16, 16))


def every_goal(layer: HierarchyLayer) -> list[tuple[int, ...]]:
    values = []
    imperfect = layer.setting.rules.tiles == "all"
    for mapping in all_mappings(layer.hierarchy, layer.work.nest, imperfect):
        with suppress(MappingError):
            values.append(goal(layer.cost(mapping), layer.setting.objective))
    return values


def check_gap(cost: LayerCost, objective: str, least: tuple[int, ...]) -> None:
    """No mapping is better than a cost says; ``least`` are the least of the objective, and then of energy."""
    found = goal(cost, objective)
    assert found >= least
    if not cost.optimal:
        assert cost.gap > 0 and found[0] * (1 - cost.gap) <= least[0]
    elif objective in ("dram", "delay"):
        assert found[0] == least[0] and found[1] * (1 - cost.gap) <= least[1]
    else:
        assert found[0] == least[0] and cost.gap == 0


@pytest.mark.parametrize("compute", ["gate", "skip"])
@pytest.mark.parametrize("seed", range(10))
def test_sparse_kernels(seed: int, compute: str, two_levels: HierarchyHardware) -> None:
    layer = sparse_layer(random.Random(seed), two_levels, compute)
    cost = best_cost(layer)
    assert cost.optimal
    assert goal(cost, layer.setting.objective) == min(every_goal(layer))


@pytest.mark.parametrize("seed", range(25))
def test_skipping_in_a_large_space_states_its_gap(
    seed: int, two_levels: HierarchyHardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchy_search, "_ONE_BY_ONE", 0)
    layer = sparse_layer(random.Random(100 + seed), two_levels, "skip")
    check_gap(best_cost(layer), layer.setting.objective, min(every_goal(layer)))


@pytest.mark.parametrize("seed", range(12))
def test_stopped_in_time_with_what_could_still_be_saved(seed: int, two_levels: HierarchyHardware) -> None:
    rng = random.Random(seed)
    plain, nest = random_problem(rng, 300)
    hardware = replace(two_levels, hierarchy=with_limits(rng, plain))
    objective = rng.choice(["energy", "dram", "delay", "edp"])
    layer = HierarchyLayer(work(nest), Setting(hardware, random_rules(rng), objective, 16, 16, 16))
    check_gap(best_cost(layer, seconds=0.0), objective, min(every_goal(layer)))


def test_bounds_of_all_bypasses_take_no_more_than_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[run.Run] = []

    class Noted(run.Run):
        @property
        def least(self) -> float:
            asked.append(self)
            return super().least

    monkeypatch.setattr(search, "Run", Noted)
    hierarchy = Hierarchy((level("dram", None, 1), *(level(name, 600, 1) for name in ("L1", "L2", "L3"))))
    table = Prices({("dram", tensor, "read"): (1.0,) for tensor in TENSORS}, (-1,))
    found = search_mapping(
        hierarchy, conv(4, 4, 4), Rules(tiles="divisors"), (16, 16, 16), table, lambda cost, _: cost[:, 0],
        deadline=time.monotonic(),
    )  # fmt: skip
    assert found.mapping is not None and len(asked) == 1  # of 343 choices


def test_what_became_of_partial_mappings(two_levels: HierarchyHardware) -> None:
    given = Setting(two_levels, Rules(tiles="divisors"), "energy", 16, 16, 16)
    searched = dict(best_cost(HierarchyLayer(work(conv(8, 8, 8)), given)).searched)
    assert set(searched) == {"made", "no_room", "bounded", "beaten"}
    assert searched["made"] > searched["bounded"] > 0


@pytest.mark.parametrize(
    ("dim", "axis", "tiled"),
    [("P", Axis(8, 18, 3, 1, 2), "R"), ("R", Axis(7, 31, 4, 4, 2), "P")],
)
def test_tiles_that_overlap_only_if_copies_lie_between(dim: str, axis: Axis, tiled: str) -> None:
    # Windows {0, 2, 4} of outputs next to each other have nothing in common, those of every second do.
    kernel = DenseKernel((1, 1, axis.window, 1))
    nest = LoopNest(1, 1, 1, 1, axis, Axis(1, 1), kernel)
    hierarchy = Hierarchy(
        (
            level("dram", None, 1, loops=dim),
            SpatialAxis("A", 2, dim),
            level("L", None, 1, keep=TENSORS, loops=tiled),
        )
    )
    prices, rules = {("L", INPUTS, "fill"): 1}, Rules(tiles="divisors", overlap="one-axis")
    best, _ = best_of_all(hierarchy, nest, rules, lambda counts, _: total(counts, prices))
    table = Prices({key: (float(price),) for key, price in prices.items()}, (-1,))
    least = least_value(hierarchy, nest, rules, (16, 16, 16), table, lambda cost, _: cost[:, 0])
    assert least <= best
    assert searched(hierarchy, nest, rules, prices)[1] == best


@pytest.mark.parametrize("seed", range(10))
def test_every_partial_mapping_is_accounted_for(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_pieces(monkeypatch)
    kept: list[int] = []
    trimmed, best = run._trimmed, run.Run.best
    passes = 0

    def noted(states: States) -> States:
        kept.append(len(states))
        return trimmed(states)

    def accounted(self: run.Run, bound: float, beam: int | None) -> dict[Mapping, float]:
        nonlocal passes
        kept.clear()
        found = best(self, bound, beam)
        if beam is None:
            p, passes = self.pruned, passes + 1
            assert p.made == p.no_room + p.bounded + p.beaten + sum(kept)
        return found

    monkeypatch.setattr(run, "_trimmed", noted)
    monkeypatch.setattr(run.Run, "best", accounted)
    rng = random.Random(700 + seed)
    hierarchy, nest = random_problem(rng, 2500, deep=True)
    searched(hierarchy, nest, random_rules(rng), random_prices(rng, hierarchy))
    assert passes


def test_a_mapping_that_is_none_is_an_internal_error(
    two_levels: HierarchyHardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Setting(two_levels, Rules(tiles="divisors"), "energy", 16, 16, 16)
    layer = HierarchyLayer(work(conv(4, 4, 4)), given)
    right = hierarchy_search.search_mapping

    def wrong(mapping: Mapping | None = None, by: float = 0.0):
        def found(*args, **options):
            true = right(*args, **options)
            return replace(true, ties=(mapping or true.ties[0],), value=true.value + by)

        return found

    monkeypatch.setattr(hierarchy_search, "search_mapping", wrong(parse_mapping("dram: M3")))
    with pytest.raises(RuntimeError, match="a mapping that is none"):
        best_cost(layer)
    monkeypatch.setattr(hierarchy_search, "search_mapping", wrong(by=1e9))
    with pytest.raises(RuntimeError, match="but it is"):
        best_cost(layer)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_fits_says_the_smallest_capacity(seed: int) -> None:
    rng = random.Random(seed)
    plain, nest = random_problem(rng, 400)
    nodes = [
        node
        if isinstance(node, SpatialAxis) or node.name == "dram"
        else replace(
            node,
            keep=tuple(t for t in TENSORS if t not in node.bypass),
            capacity_bits=rng.choice([16, 48, 80, None]),
        )
        for node in plain.nodes
    ]
    hierarchy, rules = replace(plain, nodes=tuple(nodes)), random_rules(rng)

    def fitting(name: str = "", bits: int = 0) -> bool:
        roomy = [replace(n, capacity_bits=bits) if n.name == name else n for n in hierarchy.nodes]
        return best_of_all(replace(hierarchy, nodes=tuple(roomy)), nest, rules, lambda *_: 1)[1] > 0

    if fitting():
        return
    message = nothing_fits(hierarchy, nest, rules, (16, 16, 16))
    assert message.startswith("no mapping fits this layer: level")
    for name, least in re.findall(r"level '(\w+)' has \d+ B and needs (\d+) B", message):
        if "all of these" not in message:
            assert fitting(name, 8 * int(least)) and not fitting(name, 8 * int(least) - 1)


def test_nothing_fits_as_loops_have_no_place(two_levels: HierarchyHardware) -> None:
    dram, buffer = two_levels.hierarchy.levels
    rules = Rules(tiles="divisors")
    narrow = Hierarchy((replace(dram, loops="M"), replace(buffer, loops="M"), SpatialAxis("X", 2, "C")))
    nest = conv(4, 4, 1, window=1)
    assert "have no place" in nothing_fits(narrow, nest, rules, (16, 16, 16))
    none = Hierarchy((replace(dram, loops="M"), replace(buffer, loops="M")))
    assert "takes loops over C (it has 4)" in nothing_fits(none, nest, rules, (16, 16, 16))


def test_nothing_fits_of_the_cost_model(two_levels: HierarchyHardware) -> None:
    levels = two_levels.hierarchy.levels
    tiny = replace(levels[1], capacity_bits=32, keep=TENSORS)
    hw = replace(two_levels, hierarchy=Hierarchy((levels[0], tiny)))
    given = Setting(hw, Rules(tiles="divisors"), "energy", 16, 16, 16)
    # One weight, one input and one sum, of 2 bytes each.
    with pytest.raises(CapacityError, match="level 'buffer' has 4 B and needs 6 B at least"):
        best_cost(HierarchyLayer(work(conv(4, 4, 4)), given))


def imperfect_layer(rng: random.Random, two_levels: HierarchyHardware) -> HierarchyLayer:
    while True:
        plain, nest = random_problem(rng, 200)
        if space_size(plain, nest, imperfect=True) < 600:
            break
    hardware = replace(two_levels, hierarchy=with_limits(rng, plain))
    rules = replace(random_rules(rng), tiles="all")
    objective = rng.choice(["energy", "dram", "delay", "edp"])
    return HierarchyLayer(work(nest), Setting(hardware, rules, objective, 16, 16, 16))


@pytest.mark.parametrize("seed", range(12))
def test_small_imperfect_spaces(seed: int, two_levels: HierarchyHardware) -> None:
    layer = imperfect_layer(random.Random(seed), two_levels)
    cost = best_cost(layer)
    assert cost.optimal and goal(cost, layer.setting.objective) == min(every_goal(layer))
    assert cost.mappings == number_of_mappings(layer.hierarchy, layer.work.nest, imperfect=True)


@pytest.mark.parametrize("seed", range(25))
def test_larger_imperfect_spaces(
    seed: int, two_levels: HierarchyHardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = imperfect_layer(random.Random(200 + seed), two_levels)
    objective, rules = layer.setting.objective, replace(layer.setting.rules, tiles="divisors")
    monkeypatch.setattr(hierarchy_search, "_ONE_BY_ONE", 0)
    cost = best_cost(layer)
    perfect = best_cost(replace(layer, setting=replace(layer.setting, rules=rules)))
    least = min(every_goal(layer))
    assert goal(cost, objective)[0] <= goal(perfect, objective)[0]
    check_gap(cost, objective, least)


def test_an_imperfect_mapping_that_is_better(two_levels: HierarchyHardware) -> None:
    # 29 filters are prime: one by one, or all of them; three times 10 is better.
    dram, buffer = two_levels.hierarchy.levels
    hierarchy = Hierarchy((dram, replace(buffer, capacity_bits=16 * 600, keep=TENSORS)))
    given = Setting(replace(two_levels, hierarchy=hierarchy), Rules(tiles="divisors"), "dram", 16, 16, 16)
    nest = conv(29, 16, 14)
    perfect = best_cost(HierarchyLayer(work(nest), given))
    imperfect = best_cost(HierarchyLayer(work(nest), replace(given, rules=Rules(tiles="all"))))
    assert goal(imperfect, "dram")[0] < goal(perfect, "dram")[0]
    assert imperfect.mappings > perfect.mappings
    evaluated = evaluate_mapping(
        work(nest), replace(given, rules=Rules(tiles="all")), parse_mapping(imperfect.mapping)
    )
    assert goal(evaluated, "dram") == goal(imperfect, "dram")


@pytest.mark.parametrize("seed", range(25))
def test_more_capacity_never_costs_more(seed: int) -> None:
    rng = random.Random(300 + seed)
    hierarchy, nest = random_problem(rng, 10**6)
    rules, prices = random_rules(rng), random_prices(rng, hierarchy)
    before: int | None = None
    for words in (6, 8, 12, 20, 40, None):
        nodes = [
            node
            if isinstance(node, SpatialAxis) or node.name == "dram"
            else replace(node, capacity_bits=None if words is None else 16 * words)
            for node in hierarchy.nodes
        ]
        _, value = searched(replace(hierarchy, nodes=tuple(nodes)), nest, rules, prices)
        assert before is None or (value is not None and value <= before)
        before = value


@pytest.mark.parametrize("seed", range(20))
def test_batch_and_rows_are_alike_for_a_window_of_one(seed: int) -> None:
    rng = random.Random(400 + seed)
    hierarchy, nest = random_problem(rng, 10**6)
    rules, prices = random_rules(rng), random_prices(rng, hierarchy)
    images, rows = rng.choice([(1, 4), (2, 3), (3, 6), (4, 2)])
    swap = str.maketrans("NP", "PN")
    turned = replace(
        hierarchy, nodes=tuple(replace(n, loops=n.loops.translate(swap)) for n in hierarchy.nodes)
    )
    one, kernel = Axis(1, 1), DenseKernel((nest.groups * nest.filters, nest.channels, 1, 1))
    first = replace(nest, batch=images, rows=Axis(rows, rows), cols=one, kernel=kernel)
    second = replace(nest, batch=rows, rows=Axis(images, images), cols=one, kernel=kernel)
    found = searched(hierarchy, first, rules, prices)[1]
    # Nothing overlaps: the windows are single positions.
    assert found == searched(turned, second, rules, prices)[1]
