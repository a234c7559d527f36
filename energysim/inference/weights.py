"""Weights of a graph: a mapping beside it, from parameter name to float32 array.

Names are those of ``LayerGraph.parameters()`` (``conv1.weight``, ``conv1.bias``), and for a batch
norm also its statistics ``bn1.running_mean`` and ``bn1.running_var``, which are no parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from energysim.errors import WeightsError, near_miss
from energysim.graph import (
    Activation,
    Add,
    BatchNorm,
    CombConv2d,
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    LayerGraph,
    Linear,
    MatMul,
    Node,
)
from energysim.graph.shapes import Shape, product, text

__all__ = ["FloatArray", "Weights", "bell", "check_weights", "expected_weights", "masked", "random_weights"]

FloatArray = NDArray[np.float32]
Weights = Mapping[str, FloatArray]

#: Problems listed in one message.
_LISTED = 8
_RECTIFIERS = ("relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish")
#: Mean scale of the last batch norm of a residual branch. With 1 an error of rounding grows a
#: hundredfold through the fifty blocks of a ResNet-152, and no two float32 programs agree.
_RESIDUAL = 0.25
#: Numbers drawn at a time.
_CHUNK = 1 << 17


def expected_weights(graph: LayerGraph) -> dict[str, Shape]:
    """Return name and shape of every array a network needs: parameters, then statistics, node by node."""
    found: dict[str, Shape] = {}
    for node in graph.nodes:
        shapes = graph.input_shapes(node)
        for suffix, shape in node.op.parameters(shapes).items():
            found[f"{node.name}.{suffix}"] = shape
        if isinstance(node.op, BatchNorm):
            for suffix in ("running_mean", "running_var"):
                found[f"{node.name}.{suffix}"] = (shapes[0][1],)
    return found


def check_weights(graph: LayerGraph, weights: Weights, source: str = "weights") -> dict[str, FloatArray]:
    """Return the weights in network order.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
    source : str
        What to call them in a message, e.g. a file name.

    Raises
    ------
    WeightsError
        Names that are missing or not of this network, a wrong shape or type, NaN, infinity, a
        negative variance: all of them (at most eight are listed).
    """
    expected = expected_weights(graph)
    problems = name_problems(expected, weights)
    for name, shape in expected.items():
        if name in weights:
            problems += value_problems(name, shape, weights[name])
    raise_problems(graph, source, problems)
    return {name: weights[name] for name in expected}


def name_problems(expected: Mapping[str, Shape], given: Mapping[str, object]) -> list[str]:
    """Return one text for each name that is missing or unexpected, with the nearest one."""
    spare = [name for name in given if name not in expected]
    found = []
    for name in expected:
        if name not in given:
            hint = near_miss(name, spare).replace("did you mean", "is it called")
            found.append(f"{name!r} ({text(expected[name])}) is missing{hint}")
    lacking = [name for name in expected if name not in given]
    found += [f"{name!r} is not of this network{near_miss(name, lacking)}" for name in spare]
    return found


def value_problems(name: str, shape: Shape, array: object) -> list[str]:
    """Return what is wrong with one array, at most one text."""
    if not isinstance(array, np.ndarray):
        return [f"{name!r} is no array but {type(array).__name__}"]
    if array.dtype != np.float32:
        return [f"{name!r} holds {array.dtype}, not float32"]
    if array.shape != shape:
        return [f"{name!r} has shape {text(array.shape) or 'of one number'}, the network needs {text(shape)}"]
    # A sum is not finite if an element is not; only if it overflowed the elements are looked at.
    if name.endswith(".value"):  # of a constant, which may mask with infinity
        return [f"{name!r} holds NaN"] if np.isnan(array).any() else []
    with np.errstate(all="ignore"):
        total = array.sum(dtype=np.float64)
    if not math.isfinite(total) and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        return [f"{name!r} is {array[tuple(bad)]} at {tuple(map(int, bad))}"]
    if name.endswith(".running_var") and float(array.min()) < 0:
        return [f"{name!r} has a negative variance"]
    return []


def raise_problems(graph: LayerGraph, source: str, problems: list[str]) -> None:
    """Raise one WeightsError for all problems, if there are any."""
    if not problems:
        return
    more = len(problems) - _LISTED
    listed = problems[:_LISTED] + ([f"and {more} more"] if more > 0 else [])
    raise WeightsError(f"{source} for {graph.name!r}: " + "; ".join(listed))


def bell(count: int, seed: int, name: str) -> FloatArray:
    """Return so many numbers of mean 0 and variance 1, nearly normal, the same on every machine.

    Each is the sum of the four 16-bit parts of one raw output of the counter-based generator Philox
    (key: seed and name), whose stream NumPy guarantees: integers, so no library function of a CPU or
    of a release can change a bit.
    """
    numbers = np.random.Philox(key=np.array([seed, crc32(name.encode())], dtype=np.uint64))
    found = np.empty(count, dtype=np.float32)
    deviation = math.sqrt((2**32 - 1) / 3)  # four uniform integers of 0 .. 2**16 - 1
    for start in range(0, count, _CHUNK):
        raw = numbers.random_raw(min(_CHUNK, count - start)).view(np.uint16)
        total = raw[0::4].astype(np.int32)
        for part in (1, 2, 3):
            total += raw[part::4]
        found[start : start + len(total)] = (total - 2 * 65535) / deviation
    return found


def _gain(graph: LayerGraph, node: Node) -> float:
    """Return what the outputs' variance is to be, for inputs of mean square 1.

    2 before a rectifier, which halves it (He et al.); 1 elsewhere; for queries and keys of attention
    over d numbers 1/sqrt(d), so that their products have the variance 1.
    """
    waiting = [node.outputs[0]]
    while waiting:
        tensor = waiting.pop()
        for reader in graph.consumers(tensor):
            if isinstance(reader.op, Activation) and reader.op.function in _RECTIFIERS:
                return 2.0
            if isinstance(reader.op, MatMul) and reader.inputs[0] == tensor:
                return 1 / math.sqrt(graph.tensor(tensor).shape[-1])
            if isinstance(reader.op, BatchNorm) or reader.op.category == "view":
                waiting += reader.outputs
    return 1.0


def _spread(graph: LayerGraph, node: Node, suffix: str) -> tuple[float, float]:
    """Return mean and standard deviation of a parameter."""
    op, shapes = node.op, graph.input_shapes(node)
    if isinstance(op, CombConv2d | Conv2d | ConvTranspose2d | DeformConv2d | Linear):
        if suffix == "bias":
            return 0.0, 0.02
        if isinstance(op, Conv2d | Linear):
            kernel = op.layout(shapes)
            inputs = kernel.nonzeros / kernel.shape[0]
        else:
            inputs = product(op.parameters(shapes)["weight"][1:])
            if isinstance(op, ConvTranspose2d):
                inputs /= product(op.stride)  # an output element meets so many fewer taps
        return 0.0, math.sqrt(_gain(graph, node) / max(1.0, inputs))
    if suffix in ("running_mean", "running_var"):
        return float(suffix == "running_var"), 0.0
    if suffix == "weight" and "bias" in op.parameters(shapes):
        return (_RESIDUAL if _ends_branch(graph, node) else 1.0), 0.1
    return 0.0, 0.1


def _ends_branch(graph: LayerGraph, node: Node) -> bool:
    """Whether a normalisation is the last of a residual branch: added to what is none itself."""
    for reader in graph.consumers(node.outputs[0]):
        if isinstance(reader.op, Add):
            others = [graph.tensor(t).producer for t in reader.inputs if t != node.outputs[0]]
            if any(name is None or not isinstance(graph.node(name).op, BatchNorm) for name in others):
                return True
    return False


def random_weights(graph: LayerGraph, seed: int = 0) -> dict[str, FloatArray]:
    """Return weights that keep activations well scaled, drawn at random.

    Weights of layers that multiply have the variance gain / fan-in (He, Zhang, Ren and Sun, ICCV
    2015, eq. 10), the gain being 2 before a rectifier, and the fan-in the mean number of weights that
    exist per filter; weights that a kernel does not keep are zero. Biases are small, normalisation
    scales lie around 1, or 1/4 at the end of a residual branch. Batch norms have mean 0 and variance
    1: see :func:`~energysim.inference.calibration.calibrate`.

    Parameters
    ----------
    graph : LayerGraph
    seed : int
        0 to 2**64 - 1. An array depends on nothing but seed, name, shape and kernel.

    Raises
    ------
    WeightsError
        If the seed is anything else.
    """
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise WeightsError(f"a seed is a whole number from 0 to 2**64 - 1, not {seed!r}")
    found: dict[str, FloatArray] = {}
    for name, shape in expected_weights(graph).items():
        node, _, suffix = name.rpartition(".")
        mean, deviation = _spread(graph, graph.node(node), suffix)
        values = bell(product(shape), seed, name) if deviation else np.zeros(product(shape), np.float32)
        values *= np.float32(deviation)
        values += np.float32(mean)
        found[name] = values.reshape(shape)
    return masked(graph, found)


def masked(graph: LayerGraph, weights: Weights) -> dict[str, FloatArray]:
    """Return the weights with zeros wherever a layer's kernel keeps no weight.

    Arrays that are so already are passed on as they are, not copied.
    """
    found = dict(weights)
    for node in graph.nodes:
        if not isinstance(node.op, Conv2d | Linear) or node.op.kernel is None or node.op.kernel.is_dense:
            continue
        name = f"{node.name}.weight"
        mask = node.op.kernel.mask().reshape(weights[name].shape)
        if np.any(weights[name], where=~mask):
            found[name] = np.where(mask, weights[name], np.float32(0))
    return found
