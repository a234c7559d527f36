"""The builder: names, scopes, numbers, errors."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import (
    Activation,
    AdaptivePool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    GraphBuilder,
    GroupNorm,
    LayerNorm,
    MatMul,
    Operator,
    Pool2d,
    SpatialShift,
    Upsample,
    builder,
)
from energysim.graph.shapes import Shape
from energysim.kernels import DenseKernel


def make(input: Shape = (3, 8, 10)) -> GraphBuilder:
    return GraphBuilder("net", input)


def test_the_example_of_the_docstring() -> None:
    assert doctest.testmod(builder).failed == 0


def test_names_are_numbered_by_kind() -> None:
    b = make()
    x = b.conv(b.input, 4, 3)
    assert [x, b.conv(x, 4, 3), b.relu(x), b.batch_norm(x), b.pool(x, 2), b.global_pool(x)] == [
        "conv1",
        "conv2",
        "act1",
        "bn1",
        "pool1",
        "pool2",
    ]
    assert b.conv(x, 4, 1, name="conv3") == "conv3"
    assert b.conv(x, 4, 1) == "conv4"


def test_scopes_nest_and_number_apart() -> None:
    b = make()
    with b.scope("layer1"):
        x = b.conv(b.input, 4, 1)
        with b.scope("0"):
            y = b.conv(x, 4, 1)
            z = b.relu(y, name="relu")
    assert (x, y, z) == ("layer1.conv1", "layer1.0.conv1", "layer1.0.relu")
    assert b.conv(z, 4, 1) == "conv1"


def test_a_scope_ends_with_an_error() -> None:
    b = make()
    with pytest.raises(ShapeError), b.scope("deep"):
        b.conv(b.input, 4, 30)
    assert b.conv(b.input, 4, 1) == "conv1"


def test_rows_come_before_columns() -> None:
    b = make()
    x = b.conv(b.input, 4, (1, 3), stride=(2, 1), padding=(0, 1), dilation=(1, 2), name="c")
    assert b.shape(x) == (1, 4, 4, 8)
    op = b.build().node("c").op
    assert op == Conv2d(4, (1, 3), (2, 1), (0, 0, 1, 1), (1, 2))


def test_every_method_makes_its_operator() -> None:
    b = make((4, 8, 8))
    x = b.input
    made = {
        b.conv(x, 4, 3, kernel=DenseKernel((4, 4, 3, 3))): Conv2d(
            4, (3, 3), kernel=DenseKernel((4, 4, 3, 3))
        ),
        b.depthwise(x, 3, 2, 1, bias=False): Conv2d(4, (3, 3), (2, 2), (1, 1, 1, 1), groups=4, bias=False),
        b.conv_transpose(x, 2, 2, 2, output_padding=1): ConvTranspose2d(
            2, (2, 2), (2, 2), output_padding=(1, 1)
        ),
        b.pool(x, 3, 1, (1, 0, 1, 0), "average", 1, True, False): Pool2d(
            "average", (3, 3), (1, 1), (1, 0, 1, 0), (1, 1), True, False
        ),
        b.pool(x, (2, 4)): Pool2d("max", (2, 4), (2, 4)),
        b.adaptive_pool(x, (2, 3), "max"): AdaptivePool2d("max", (2, 3)),
        b.batch_norm(x, affine=False): BatchNorm(False),
        b.layer_norm(x): LayerNorm(),
        b.group_norm(x, 2): GroupNorm(2),
        b.activation(x, "gelu"): Activation("gelu"),
        b.upsample(x, (2, 1), "bilinear"): Upsample((2, 1), "bilinear"),
        b.spatial_shift(x, (1, 3)): SpatialShift((1, 3)),
    }
    for name in (b.dropout(x), b.softmax(x), b.add(x, x), b.multiply(x, x), b.concat(x, x), b.flatten(x)):
        assert b.shape(name)[0] == 1
    for name in (b.channel_shuffle(x, 2), b.learned_add(x), b.local_response_norm(x)):
        assert b.shape(name) == (1, 4, 8, 8)
    sequence = b.permute(b.reshape(x, (4, -1)), (0, 2, 1))
    assert b.shape(b.learned_token(sequence)) == (1, 65, 4)
    graph = b.build()
    assert {name: graph.node(name).op for name in made} == made


def test_conv_bn() -> None:
    b = make()
    x = b.conv_bn(b.input, 8, 3, 2, 1, function="relu6", name="stem")
    y = b.conv_bn(x, 8, 3, 1, 1, groups=8, function=None, name="plain")
    assert (x, y) == ("stem.relu6", "plain.bn")
    graph = b.build(y)
    assert [n.name for n in graph] == ["stem.conv", "stem.bn", "stem.relu6", "plain.conv", "plain.bn"]
    assert graph.parameter_count() == 8 * 3 * 9 + 16 + 8 * 9 + 16


def test_split_returns_every_part() -> None:
    b = make((6, 4, 4))
    parts = b.split(b.input, (1, 2, 3), name="cut")
    assert parts == ("cut", "cut:1", "cut:2")
    assert [b.shape(p)[1] for p in parts] == [1, 2, 3]


def test_two_inputs() -> None:
    b = make((3, 4, 4))
    other = b.extra_input("mask", (1, 4, 4))
    graph = b.build(b.multiply(b.input, other))
    assert graph.inputs == ("input", "mask")
    assert graph.with_batch(3).tensor("mask").shape == (3, 1, 4, 4)
    with pytest.raises(GraphError, match="two tensors of 'net' are called 'mask'"):
        b.extra_input("mask", (1, 4, 4))


@pytest.mark.parametrize(("length", "depth", "heads"), [(5, 8, 1), (5, 8, 2), (7, 12, 4), (197, 768, 12)])
def test_attention_counts(length: int, depth: int, heads: int) -> None:
    """4 D^2 weights, 4 D biases, 2 L^2 D multiply-adds in the two products."""
    b = make((length, depth))
    out = b.attention(b.input, heads, name="attention")
    assert b.shape(out) == (1, length, depth)
    graph = b.build(out)
    assert graph.parameter_count() == 4 * depth**2 + 4 * depth
    macs = 0
    for node in graph:
        if isinstance(node.op, MatMul):
            left, right = graph.input_shapes(node)
            assert left[1] == right[1] == heads
            macs += left[1] * left[2] * left[3] * right[3]
    assert macs == 2 * length**2 * depth
    scores = next(n for n in graph if n.name == "attention.scores")
    assert graph.output_shapes(scores) == ((1, heads, length, length),)
    assert all(node.name.startswith("attention.") for node in graph)


def test_attention_that_does_not_fit() -> None:
    b = make((5, 8))
    with pytest.raises(GraphError, match="3 heads do not divide a depth of 8"):
        b.attention(b.input, 3)
    with pytest.raises(GraphError, match="0 heads"):
        b.attention(b.input, 0)
    b = make()
    with pytest.raises(ShapeError, match=r"takes \(N, L, D\), not 1x3x8x10, from 'input'"):
        b.attention(b.input, 1)


def test_errors_name_the_node_and_its_feeders() -> None:
    b = make()
    x = b.conv(b.input, 4, 3, name="left")
    y = b.conv(b.input, 5, 3, name="right")
    message = "node 'sum' (Add): addition of shapes 1x4x6x8 and 1x5x6x8; 'left' gives 1x4x6x8, 'right' gives"
    with pytest.raises(ShapeError) as caught:
        b.add(x, y, name="sum")
    assert str(caught.value).startswith(message)
    b.add(x, x, name="sum")  # the failed one left no trace


def test_unknown_tensor() -> None:
    b = make()
    b.conv(b.input, 4, 3, name="stem")
    for call in (
        lambda: b.relu("stam"),
        lambda: b.depthwise("stam", 3),
        lambda: b.attention("stam", 3),
        lambda: b.shape("stam"),
    ):
        with pytest.raises(GraphError, match=r"'stam'.*did you mean 'stem'\?"):
            call()


def test_duplicate_name() -> None:
    b = make()
    b.conv(b.input, 4, 3, name="stem")
    with pytest.raises(GraphError, match="two nodes of 'net' are called 'stem'"):
        b.relu(b.input, name="stem")
    b.relu(b.input, name="input")
    with pytest.raises(GraphError, match="two producers of tensor 'input'"):
        b.build()


@pytest.mark.parametrize(
    ("input", "batch"),
    [
        ((), 1),
        ((3, 0, 8), 1),
        ((3, -8, 8), 1),
        ((3, 8.0, 8), 1),
        ((3, 8, 8), 0),
        ((3, True, 8), 1),
        ("388", 1),
    ],
)
def test_input_must_be_positive(input: tuple[int, ...], batch: int) -> None:
    with pytest.raises(ShapeError, match="the input of 'net' must have positive whole lengths"):
        GraphBuilder("net", input, batch)


def test_a_graph_needs_a_node() -> None:
    with pytest.raises(GraphError, match="the graph 'net' is empty"):
        make().build()


def test_an_operator_must_keep_its_number_of_outputs() -> None:
    class Twins(Operator):
        def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
            return shapes * 2

    b = make()
    with pytest.raises(GraphError, match=r"node 'twins1' \(Twins\) makes 2 tensors, not 1"):
        b.node(Twins(), b.input)
    assert b.node(Twins(), b.input, outputs=2) == ("twins1", "twins1:1")


@pytest.mark.parametrize("wrong", [["a", "b"], None, 3])
def test_tensors_come_one_by_one(wrong: Any) -> None:
    b = GraphBuilder("lists", input=(2, 4, 4))
    with pytest.raises(
        GraphError, match=r"node 'cat' takes tensors one by one, by the names that layers return"
    ):
        b.concat(wrong, name="cat")
