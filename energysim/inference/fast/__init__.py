"""The fast plan: flat padded maps, compact convolutions, transforms; NumPy alone or with numba.

>>> plan = make_plan(graph, weights)
>>> outputs = plan.run(images)
>>> [(c.node, c.path) for c in plan.chosen]
"""

from energysim.inference.fast.plan import Chosen, FastPlan, make_plan

__all__ = ["Chosen", "FastPlan", "make_plan"]
