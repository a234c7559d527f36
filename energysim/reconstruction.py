"""How far the weights that a scheme makes are from the dense ones they were made from."""

from __future__ import annotations

import numpy as np

from energysim.errors import WeightsError
from energysim.graph import LayerGraph
from energysim.inference.weights import Weights, masked
from energysim.schemes import Rewrite, equivalent_weights
from energysim.weight_sets import WeightSet

__all__ = ["weight_errors"]


def weight_errors(graph: LayerGraph, rewrite: Rewrite, found: WeightSet, made: Weights) -> dict[str, float]:
    """Return ``|W' - W| / |W|`` (Frobenius norms) of each layer whose weights are reconstructed (E2).

    W are the dense weights of the set, W' those of the dense layer that computes what the rewritten layer
    does. Empty where the set holds weights of the rewritten network only: then there is no W.

    Parameters
    ----------
    graph : LayerGraph
        The original.
    rewrite : Rewrite
    found : WeightSet
    made : mapping of str to array
        Weights of the rewritten network, made from the set.
    """
    names = [
        recipe.node
        for step in rewrite.steps
        for recipe in step
        if rewrite.trace[recipe.node].exactness == "E2" and rewrite.trace[recipe.node].node == recipe.node
    ]
    if not names:
        return {}
    try:
        dense = found.read(graph)
    except WeightsError:
        return {}
    equal = equivalent_weights(rewrite, masked(rewrite.graph, made))
    errors = {}
    for name in dict.fromkeys(names):
        wanted = np.asarray(dense[f"{name}.weight"], np.float64)
        off = float(np.linalg.norm((equal[f"{name}.weight"] - wanted).reshape(-1)))
        size = float(np.linalg.norm(wanted.reshape(-1)))
        errors[name] = off / size if size else off
    return errors
