"""``plan(graph, weights)``: prepare a network for running, in one of several executors."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from energysim.errors import UsageError, near_miss
from energysim.graph import LayerGraph
from energysim.inference.base import Images, Plan
from energysim.inference.weights import Weights

__all__ = ["MODES", "PATHS", "Images", "Plan", "plan"]

MODES = ("float32", "int8", "int16")
#: Path -> "module:function", imported on first use.
PATHS = {
    "reference": "energysim.inference.direct:make_plan",
    "compact": "energysim.inference.compact:make_plan",
    "fast": "energysim.inference.fast:make_plan",
}


def plan(
    graph: LayerGraph,
    weights: Weights,
    *,
    mode: Literal["float32", "int8", "int16"] = "float32",
    path: Literal["reference", "compact", "fast"] = "reference",
    threads: int = 1,
    calibration: Images | None = None,
) -> Plan:
    """Return a plan of a network.

    Parameters
    ----------
    graph : LayerGraph
        Weights that a kernel does not keep are taken as zero, whatever ``weights`` holds there.
    weights : mapping of str to float32 array
    mode : {"float32", "int8", "int16"}
    path : {"reference", "compact", "fast"}
        ``reference``: direct convolution with dense (masked) weights. ``compact``: existing weights
        only, for any kernel. ``fast``: the best layout for each layer, float32 only.
    threads : int
        Images of a batch are shared out to so many threads.
    calibration : images, optional
        Only for integers: what the ranges of activations are taken from; random images if not given.

    Raises
    ------
    UsageError
        A mode or path that does not exist, or does not go with the other.
    WeightsError
        Weights that do not belong to the network.
    UnknownOperatorError
        An operator that nobody has said how to run.
    """
    for what, value, known in (("mode", mode, MODES), ("path", path, PATHS)):
        if value not in known:
            raise UsageError(
                f"unknown {what} {value!r}{near_miss(str(value), known)} (there are {', '.join(known)})"
            )
    if mode != "float32":
        if path == "fast":
            raise UsageError(f"the fast path runs float32 only: take compact or reference for {mode}")
        from energysim.inference.integer import IntegerPlan

        return IntegerPlan(graph, weights, mode=mode, path=path, threads=threads, calibration=calibration)
    if calibration is not None:
        raise UsageError("calibration images are for the integer modes")
    module, _, function = PATHS[path].partition(":")
    made: Plan = getattr(import_module(module), function)(graph, weights, threads=threads)
    return made
