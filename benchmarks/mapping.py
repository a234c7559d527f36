"""CPU time of the mapping search, against passes of np.add, measured side by side.

    python benchmarks/mapping.py [--model vgg16] [--hardware edge45] [--schemes dense,psconv] [--runs 9]

Evaluates all distinct layers of a model with multiply-adds with the cost model of the hardware. With
one of the model hierarchy (``--hardware eyeriss168 --schemes dense --runs 3``) it prints the CPU time of
the network and of its slowest layer, and how many layers are proven; the aim is 5 s for VGG16, 2 s for
ResNet18 and for any layer. Then what it takes to work out a mapping: the loops of a level and one of the
three classes of their orders, with the least that can follow. The aim is 60 passes; printed for all that
the search worked out, and for its fullest block. Most mappings are left out before that, many at a time,
so the time of the whole search for each is printed as well. ``peers.py`` runs ZigZag and nn_dataflow
beside it.

With the two-level model: a pass is ``np.add`` of two blocks of 8,192 float64 into a third. A mapping of
the space is a tile with one of the three classes of loop orders; most are decided without being
computed, as only the largest tile of C that fits matters, so the time per mapping computed is printed as
well (for small layers it is that of the model around the search). The aim: a mapping of the space takes
no longer than an element in 60 passes; VGG16 takes less than 60 ms of CPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from energysim.cost import COST_MODELS, OBJECTIVES, LayerCost
from energysim.hardware import Hardware, load_hardware
from energysim.kernels import IntArray
from energysim.mapping import BLOCK, Rules
from energysim.mapping.axes import axis_table, candidate_tiles
from energysim.mapping.hierarchy import run
from energysim.mapping.hierarchy.choices import Choices
from energysim.mapping.hierarchy.states import Floats
from energysim.schemes import parse_schemes
from energysim.setting import read_setting
from energysim.workload import LoopNest, MacWorkload, lower
from energysim.zoo import load_model


def layers(model: str, schemes: str) -> list[MacWorkload]:
    """Distinct layers of a model under some schemes."""
    found: dict[MacWorkload, None] = {}
    for scheme in parse_schemes(schemes):
        graph = scheme.apply(load_model(model)).graph
        works = (lower(graph, node) for node in graph.nodes)
        found.update((work, None) for work in works if isinstance(work, MacWorkload))
    return list(found)


def sizes(nest: LoopNest) -> tuple[int, int]:
    """Mappings of the space up to the class of the order, and those that are computed."""
    outer = len(candidate_tiles(nest.batch, False))
    outer *= len(axis_table(nest.rows, Rules()).tiles) * len(axis_table(nest.cols, Rules()).tiles)
    points = outer * len(candidate_tiles(nest.filters, False))
    return 3 * points * len(candidate_tiles(nest.channels, False)), 3 * points


def cpu(action: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    start = time.process_time()
    action()
    return time.process_time() - start


def add_pass(repeats: int = 4000) -> float:
    """CPU seconds of an element in one pass."""
    a, b, out = (np.ones(BLOCK) for _ in range(3))

    def passes() -> None:
        for _ in range(repeats):
            np.add(a, b, out=out)

    return cpu(passes) / repeats / BLOCK


def evaluate(works: list[MacWorkload], hardware: Hardware, objective: str) -> list[LayerCost]:
    """Cost of all layers, nothing kept from one call to the next but the tables of axes."""
    model, setting = COST_MODELS.get(hardware.cost_model)(), read_setting(hardware, objective)
    return [cost for work in works for cost in model.evaluate((work,), setting)]


class Watched(Choices):
    """Choices of loops that take their own time."""

    spent = 0.0
    worked_out = 0
    fullest: tuple[Any, Any, IntArray, IntArray] | None = None

    def values(self, costs: Any, rows: IntArray, points: IntArray) -> Floats:
        """As those of any choices."""
        start = time.process_time()
        found = super().values(costs, rows, points)
        Watched.spent += time.process_time() - start
        Watched.worked_out += found.size
        if Watched.fullest is None or len(points) > len(Watched.fullest[3]):
            Watched.fullest = (self, costs, rows, points)
        return found


def fullest_block() -> float:
    """CPU seconds of a mapping in the fullest block that was met."""
    assert Watched.fullest is not None
    choices, costs, rows, points = Watched.fullest
    rows, points = np.broadcast_to(rows, points.shape)[:BLOCK].copy(), points[:BLOCK]
    repeats = 100
    spent = cpu(lambda: [Choices.values(choices, costs, rows, points) for _ in range(repeats)])
    return spent / repeats / (3 * len(points))


def hierarchy(works: list[MacWorkload], hardware: Hardware, runs: int) -> None:
    """Print two lines per objective for a model of the cost model ``hierarchy``."""
    for objective in OBJECTIVES:
        times, passes = [], []
        for _ in range(runs):
            passes.append(add_pass())
            each, costs = [], []
            for work in works:
                each.append(cpu(lambda: costs.extend(evaluate([work], hardware, objective))))  # noqa: B023
            times.append(each)
        spent, slowest = statistics.median(map(sum, times)), statistics.median(map(max, times))
        made = sum(dict(cost.searched).get("made", 0) for cost in costs)
        unit, space = statistics.median(passes), sum(cost.mappings for cost in costs)
        print(
            f"{objective:7} {spent:6.2f} s CPU, slowest layer {slowest:5.2f} s; proven best of "
            f"{space:.3g} mappings: {sum(cost.optimal for cost in costs)} of {len(costs)} layers"
        )
        Watched.spent, Watched.worked_out, Watched.fullest = 0.0, 0, None
        setattr(run, "Choices", Watched)  # noqa: B010
        evaluate(works, hardware, objective)
        setattr(run, "Choices", Choices)  # noqa: B010
        mine = statistics.median(fullest_block() / add_pass() for _ in range(runs))
        print(
            f"        {Watched.worked_out:,} worked out, in passes of np.add each: "
            f"{Watched.spent / Watched.worked_out / unit:.0f}, {mine:.0f} in a block of "
            f"{BLOCK:,} tiles (aim: 60); the whole search "
            f"{spent / made / unit:,.0f} for each of {made:,} made"
        )


def main() -> None:
    """Measure and print a line per objective."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="vgg16")
    parser.add_argument("--hardware", default="edge45")
    parser.add_argument("--schemes", default="dense,psconv")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    works, hardware = layers(options.model, options.schemes), load_hardware(options.hardware)
    if hardware.cost_model == "hierarchy":
        print(f"{options.model}, {options.hardware}: {len(works)} layers")
        hierarchy(works, hardware, options.runs)
        return
    space, computed = (sum(numbers) for numbers in zip(*(sizes(work.nest) for work in works), strict=True))
    print(
        f"{options.model}, {options.hardware}: {len(works)} layers, {space:,} mappings {computed:,} computed"
    )
    for objective in OBJECTIVES:
        times, passes = [], []
        for _ in range(options.runs):
            passes.append(add_pass())
            times.append(cpu(lambda: evaluate(works, hardware, objective)))  # noqa: B023
        spent, unit = statistics.median(times), statistics.median(passes)
        print(
            f"{objective:7} {1e3 * spent:6.1f} ms CPU; in passes of np.add: {spent / space / unit:5.1f} per "
            f"mapping of the space (aim: 60), {spent / computed / unit:6.1f} per mapping computed"
        )


if __name__ == "__main__":
    main()
