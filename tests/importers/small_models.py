"""Small ONNX models, made with the package's own helper, for one property each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
FLOAT = 1


def model(
    nodes: Sequence[Any],
    inputs: dict[str, Sequence[int | str | None]],
    outputs: Sequence[str],
    arrays: dict[str, Array] | None = None,
    opset: int = 18,
    kind: int = FLOAT,
    domains: dict[str, int] | None = None,
    functions: Sequence[Any] = (),
) -> Any:
    """A model of nodes, its inputs with lengths (numbers, names, None), weights as arrays."""
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (arrays or {}).items()],
    )
    sets = [helper.make_opsetid("", opset)]
    sets += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=sets, ir_version=10, functions=list(functions))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **more: Any) -> Any:
    """A node."""
    from onnx import helper

    return helper.make_node(operator, inputs, outputs, name or outputs[0], **more)


def weights(*shape: int, seed: int = 0) -> Array:
    """Random numbers of a shape."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def conv_model(lengths: Sequence[int | str | None] = (1, 3, 8, 8), **more: Any) -> Any:
    """A convolution and a ReLU."""
    nodes = [
        node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["y"]),
    ]
    arrays = {"conv.weight": weights(4, 3, 3, 3), "conv.bias": weights(4)}
    return model(nodes, {"x": lengths}, ["y"], arrays, **more)
