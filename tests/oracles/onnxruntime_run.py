"""Running a layer graph in onnxruntime, one thread; the packages are imported on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from energysim.exporters import to_onnx
from energysim.graph import LayerGraph, Node, Operator

Array = np.ndarray[Any, Any]


def run_onnxruntime(
    graph: LayerGraph, weights: Mapping[str, Array], inputs: Mapping[str, Array]
) -> list[Array]:
    """Write, check, run; outputs in the order of the graph."""
    import onnx
    import onnxruntime

    model = to_onnx(graph, weights)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    data, place = model.SerializeToString(), ["CPUExecutionProvider"]
    found: list[Array] = onnxruntime.InferenceSession(data, options, providers=place).run(None, dict(inputs))
    return found


def one_node(op: Operator, inputs: tuple[Array, ...]) -> tuple[LayerGraph, dict[str, Array]]:
    """A graph of a single node called ``node``, batch 1, and its inputs by name (any batch)."""
    names = tuple(f"x{i}" for i in range(len(inputs)))
    shapes = {name: (1, *array.shape[1:]) for name, array in zip(names, inputs, strict=True)}
    count = len(op.infer(tuple(shapes.values())))
    outputs = ("node", *(f"node:{i}" for i in range(1, count)))
    graph = LayerGraph("one", shapes, [Node("node", op, names, outputs)], outputs)
    return graph, dict(zip(names, inputs, strict=True))
