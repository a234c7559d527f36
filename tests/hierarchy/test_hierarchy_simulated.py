"""The evaluator against the simulator on random mappings of random hierarchies."""

from __future__ import annotations

import random

import pytest
from support import blocks

from energysim.hardware.hierarchy import TENSORS
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.counts import count
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

from .base import random_hierarchy, random_mapping, random_nest, sizes_of
from .simulator import Simulator


def compare(seed: int, most: int) -> None:
    rng = random.Random(seed)
    same_as_run(rng, random_nest(rng, most), f"seed {seed}")


def same_as_run(rng: random.Random, nest: LoopNest, name: str) -> None:
    """A random mapping of a layer on a random hierarchy, evaluated and run."""
    hierarchy = random_hierarchy(rng)
    imperfect = rng.random() < 0.4
    mapping = random_mapping(rng, hierarchy, nest, imperfect)
    rules = Rules(
        padding=rng.choice(["skipped", "fetched"]),
        untouched=rng.choice(["skipped", "fetched"]),
        overlap=rng.choice(["one-axis", "one-axis", "none"]),
        first_read=rng.choice(["elided", "elided", "counted"]),
        drain=rng.choice(["counted", "elided"]),
    )
    stored_only, skips = rng.random() < 0.5, rng.random() < 0.5
    walk = checked(
        hierarchy, mapping, nest, rules, (16, 16, 16),
        imperfect=imperfect, stored_only=stored_only, skips=skips,
    )  # fmt: skip
    found = count(walk)
    layer = {
        "sizes": sizes_of(nest),
        "rows": nest.rows,
        "cols": nest.cols,
        "mask": nest.kernel.mask().reshape(nest.groups, nest.filters, *nest.kernel.shape[1:]),
    }
    flags = {r: getattr(rules, r) for r in ("padding", "untouched", "overlap", "first_read", "drain")}
    flags["returned_sums"] = dict(hierarchy.rules)["returned_sums"]
    blocks = {name: [(lp.dim, lp.trips) for lp in loops] for name, loops in mapping.blocks}
    run = Simulator(hierarchy.nodes, blocks, set(mapping.bypass), layer, flags, stored_only, walk.skips).run()
    # Inputs shared by windows and skipped products: an upper bound, see operands.py.
    loose = walk.skips and any(axis.diagonal for axis in hierarchy.axes)
    text = f"{name}: {nest} on {hierarchy} with {mapping} under {rules}"
    assert found.products == run.products, text
    assert found.steps == run.steps(), text
    for level in hierarchy.levels:
        for tensor in TENSORS:
            traffic = found.of(level.name, tensor)
            for action in ("reads", "fills", "updates", "drains"):
                got, expected = getattr(traffic, action), run.count[level.name, tensor, action]
                same = got >= expected if loose and tensor == "inputs" else got == expected
                assert same, f"{level.name} {tensor} {action}: {got} != {expected}; {text}"
    for crossing in found.crossings:
        expected = run.cross[crossing.axis, crossing.tensor]
        loosely = loose and crossing.tensor == "inputs" and crossing.elements >= expected
        assert crossing.elements == expected or loosely, f"{crossing} != {expected}; {text}"


@pytest.mark.parametrize("block", range(20))
def test_random_mappings(block: int) -> None:
    for seed in range(block * 15, block * 15 + 15):
        compare(seed, 500)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(range(40)))
def test_many_random_mappings(block: int) -> None:
    for seed in range(10_000 + block * 50, 10_000 + block * 50 + 50):
        compare(seed, 1200)
