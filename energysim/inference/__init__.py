"""The engine: a graph with weights, run for real.

>>> weights = calibrate(graph, random_weights(graph, seed=0), random_images(graph, 4))
>>> plan(graph, weights).run(images)
"""

from energysim.inference.calibration import calibrate, random_images
from energysim.inference.counter import Executed, MacCounter
from energysim.inference.plan import Plan, plan
from energysim.inference.weight_files import load_weights, save_weights, weight_groups
from energysim.inference.weights import check_weights, expected_weights, masked, random_weights

__all__ = [
    "Executed",
    "MacCounter",
    "Plan",
    "calibrate",
    "check_weights",
    "expected_weights",
    "load_weights",
    "masked",
    "plan",
    "random_images",
    "random_weights",
    "save_weights",
    "weight_groups",
]
