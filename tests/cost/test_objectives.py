"""The contract of a goal: bounds never above the exact value, nothing decreasing."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from mapping.random_layers import random_rules, random_setting, random_work

from energysim.cost import OBJECTIVES
from energysim.cost.flows import flows
from energysim.cost.layer_counts import LayerCounts
from energysim.cost.objectives import goal
from energysim.mapping import Fetches


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(15))
def test_bounds_and_exact_values(seed: int, objective: str) -> None:
    draw = Random(seed)
    work = random_work(draw)
    layer = LayerCounts(work, random_setting(draw, work, random_rules(draw), objective))
    aim = goal(layer, flows(layer))
    passes, inputs, visits = (np.array([draw.randint(1, most) for _ in range(50)]) for most in (9, 10**6, 9))
    bounds = aim.bound(*(a.astype(np.float64) for a in (passes, inputs, visits)))
    for p, i, v, bound in zip(passes.tolist(), inputs.tolist(), visits.tolist(), bounds, strict=True):
        exact = aim.exact(Fetches(p, i, v))
        assert all(isinstance(number, int) for number in exact)
        assert bound <= exact[0] * (1 + 1e-12)
        rounding = {"energy": 9, "dram": 5, "delay": 10}.get(objective)
        if rounding is not None:
            assert exact[0] <= bound * (1 + 1e-12) + rounding, "no more than the rounding up of rows"
        for more in (Fetches(p + 1, i, v), Fetches(p, i + 1, v), Fetches(p, i, v + 1)):
            assert all(a <= b for a, b in zip(exact, aim.exact(more), strict=True))
