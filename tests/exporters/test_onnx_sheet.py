"""What is written, before the package onnx sees it: operators, names, arrays, messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from energysim.errors import ExportError, UsageError, WeightsError
from energysim.exporters import onnx_file, to_onnx, write_onnx
from energysim.exporters.onnx_file import WRITERS, to_sheet
from energysim.graph import Conv2d, GraphBuilder, LayerGraph, Node, Operator
from energysim.inference import random_weights
from energysim.inference.reference import OPERATORS
from energysim.schemes import parse_scheme
from energysim.zoo import load_model, model_names


def written(graph: LayerGraph) -> Any:
    return to_sheet(graph, random_weights(graph))


def one(shape: tuple[int, ...], build: Any) -> Any:
    """The sheet of a network of one node."""
    b = GraphBuilder("net", shape)
    return written(b.build(build(b)))


def test_what_can_be_run_can_be_written() -> None:
    assert set(WRITERS) == set(OPERATORS)


@pytest.mark.parametrize(
    "name", [n for n in model_names() if n.endswith(("-cifar10", "_cnn")) or n == "googlenet"]
)
def test_names_of_nodes_and_parameters_are_kept(name: str) -> None:
    graph = load_model(name)
    weights = random_weights(graph)
    sheet = to_sheet(graph, weights)
    kept = [n.name for n in graph if n.op.kind != "Dropout"]
    assert [c.name for c in sheet.calls if "/" not in c.name] == kept
    for key, array in weights.items():
        assert np.array_equal(sheet.arrays[key], array), key
    made = set(graph.inputs) | set(sheet.arrays)
    for call in sheet.calls:
        assert {t for t in call.inputs if t} <= made, call
        assert not made & set(call.outputs)
        made |= set(call.outputs)
    assert set(graph.outputs) <= made


def test_rows_before_columns_and_beginnings_before_ends() -> None:
    def build(b: GraphBuilder) -> str:
        return b.conv(b.input, 4, (3, 2), (2, 1), (1, 2, 3, 4), (1, 2), groups=2, name="c")

    (call,) = one((2, 9, 9), build).calls
    assert call.operator == "Conv"
    assert call.inputs == ("input", "c.weight", "c.bias")
    assert call.attributes == {
        "kernel_shape": (3, 2),
        "strides": (2, 1),
        "pads": (1, 3, 2, 4),
        "dilations": (1, 2),
        "group": 2,
    }


@pytest.mark.parametrize("scheme", ["psconv:PS1_P9", "psc:kss=2"])
def test_weights_that_a_kernel_does_not_keep_are_zero(scheme: str) -> None:
    graph = parse_scheme(scheme).apply(load_model("digits_cnn")).graph
    ones = {name: np.ones_like(array) for name, array in random_weights(graph).items()}
    sheet = to_sheet(graph, ones)
    for node in graph:
        if isinstance(node.op, Conv2d):
            mask = node.op.layout(graph.input_shapes(node)).mask()
            assert np.array_equal(sheet.arrays[f"{node.name}.weight"], mask.astype(np.float32))
    assert all((array == 1).all() for array in ones.values())


def test_weights_of_transposed_convolutions_are_turned() -> None:
    b = GraphBuilder("net", (4, 5, 5))
    graph = b.build(b.conv_transpose(b.input, 6, (2, 3), groups=2, name="up"))
    weights = random_weights(graph)
    found = to_sheet(graph, weights).arrays["up.weight"]
    assert found.shape == (4, 3, 2, 3)
    for m in range(6):
        for c in range(2):
            assert np.array_equal(found[m // 3 * 2 + c, m % 3], weights["up.weight"][m, c])


@pytest.mark.parametrize(
    ("size", "padding", "extra", "pads", "left"),
    [
        ((2, 2), (1, 1, 1, 1), (1, 1), (1, 1, 1, 1), (1, 1)),
        ((1, 3), (0, 1, 0, 0), (1, 1), (0, 0, 0, 0), (0, 1)),
        ((1, 1), (0, 2, 1, 1), (1, 1), (0, 1, 1, 0), (0, 0)),
    ],
)
def test_output_padding_no_smaller_than_the_stride_is_less_cropping(
    size: tuple[int, int], padding: Any, extra: Any, pads: Any, left: Any
) -> None:
    (call,) = one((2, 5, 5), lambda b: b.conv_transpose(b.input, 2, 3, size, padding, extra, 2)).calls
    assert (call.attributes["pads"], call.attributes["output_padding"]) == (pads, left)


def test_dropouts_leave_no_trace() -> None:
    b = GraphBuilder("net", (3, 4, 4))
    x = b.dropout(b.dropout(b.relu(b.input, name="relu"), name="one"), name="two")
    sheet = written(b.build(b.dropout(b.activation(x, "tanh", name="tanh"), name="last")))
    assert [(c.operator, c.inputs, c.outputs) for c in sheet.calls] == [
        ("Relu", ("input",), ("relu",)),
        ("Tanh", ("relu",), ("tanh",)),
        ("Identity", ("tanh",), ("last",)),
    ]


@pytest.mark.parametrize(
    ("shape", "build", "message"),
    [
        (
            (3, 7, 7),
            lambda b: b.adaptive_pool(b.input, (7, 3), name="p"),
            "node 'p' (AdaptivePool2d) has no ONNX form: pooling of 7x7 to 7x3 has windows of "
            "different sizes",
        ),
        (
            (8, 5, 5),
            lambda b: b.local_response_norm(b.input, 4, name="n"),
            "node 'n' (LocalResponseNorm) has no ONNX form: LRN of ONNX is centred, 4 channels are not: "
            "take an odd size",
        ),
        (
            (2, 5, 5),
            lambda b: b.conv_transpose(b.input, 2, 3, 1, 0, 1, 2, name="u"),
            "node 'u' (ConvTranspose2d) has no ONNX form: an output padding of 1 with a stride of 1",
        ),
    ],
)
def test_what_onnx_has_not(shape: tuple[int, ...], build: Any, message: str) -> None:
    with pytest.raises(ExportError) as caught:
        one(shape, build)
    assert str(caught.value) == message


def test_an_operator_nobody_can_write() -> None:
    class Strange(Operator):
        def infer(self, shapes: Any) -> Any:
            return shapes

    graph = LayerGraph("net", {"input": (1, 3, 4, 4)}, [Node("odd", Strange(), ("input",), ("odd",))])
    with pytest.raises(ExportError, match=r"^node 'odd': nobody has said how to write Strange as ONNX$"):
        to_sheet(graph, {})


def test_two_tensors_of_one_name() -> None:
    b = GraphBuilder("net", (3, 4, 4))
    x = b.relu(b.conv(b.input, 3, 1, name="a"), name="a.weight")
    with pytest.raises(ExportError, match=r"two tensors would be called 'a\.weight'"):
        written(b.build(x))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "'conv.weight' (4x2x3x3) is missing"),
        (np.zeros((4, 2, 3, 3)), "'conv.weight' must be a float32 array of 4x2x3x3"),
        (np.zeros((4, 2, 3, 2), np.float32), "'conv.weight' must be a float32 array of 4x2x3x3"),
        ([1.0], "'conv.weight' must be a float32 array of 4x2x3x3"),
    ],
)
def test_wrong_weights(toy: LayerGraph, value: Any, message: str) -> None:
    weights = {**random_weights(toy), "conv.weight": value}
    with pytest.raises(WeightsError) as caught:
        to_sheet(toy, weights)
    assert str(caught.value) == message


def test_without_the_package(toy: LayerGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(onnx_file, "import_module", missing)
    with pytest.raises(UsageError) as caught:
        to_onnx(toy, random_weights(toy))
    assert str(caught.value) == "writing ONNX needs the package onnx: pip install 'energysim[onnx]'"


@pytest.mark.parametrize("batch", [0, -1, 2.0, True, "2"])
def test_wrong_batch(toy: LayerGraph, batch: Any) -> None:
    with pytest.raises(UsageError, match=r"^the batch must be a whole number of at least 1, not"):
        to_onnx(toy, random_weights(toy), batch)


def test_wrong_file_name(toy: LayerGraph) -> None:
    with pytest.raises(UsageError, match=r"^a network is written as \.onnx, not as 'net\.pb'$"):
        write_onnx(toy, random_weights(toy), "/nowhere/net.pb")
