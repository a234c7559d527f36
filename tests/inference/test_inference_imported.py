"""Operators of imported networks in the engine: by hand, in integers, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from energysim.errors import DataError, UnknownOperatorError, WeightsError
from energysim.graph import (
    ArgReduce,
    BatchNorm,
    BinaryElementwise,
    Cast,
    Constant,
    CumulativeSum,
    DeformConv2d,
    DepthToSpace,
    Elementwise,
    Embedding,
    Expand,
    ExpandBatch,
    GatherElements,
    GraphBuilder,
    LayerGraph,
    Node,
    Operator,
    Pad,
    Quantize,
    Reduce,
    Resize,
    Slice,
    Take,
    Tile,
    TopK,
)
from energysim.inference import plan, random_images, random_weights
from energysim.inference.reference import Array, run_operator
from energysim.validate import validate


def run(op: Operator, *inputs: Array, **parameters: Array) -> Array:
    return run_operator(Node("node", op, ("x",), ("y",)), inputs, parameters)[0]


def one(op: Operator, *shape: int, outputs: int = 1) -> LayerGraph:
    b = GraphBuilder("one", shape)
    return b.build(*b.node(op, b.input, name="node", outputs=outputs))


def test_rows_of_a_table() -> None:
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = run(Embedding(3, 2), np.array([[2, 0, -1]], dtype=np.float32), weight=table)
    assert found.tolist() == [[[4, 5], [0, 1], [4, 5]]]
    with pytest.raises(DataError, match="index 3 is outside of 3 elements"):
        run(Embedding(3, 2), np.array([[3.0]]), weight=table)
    with pytest.raises(DataError, match=r"an index must be a whole number, not 0\.5"):
        run(Embedding(3, 2), np.array([[0.5]]), weight=table)


def test_small_things_by_hand() -> None:
    x = np.array([[3, -1, 2, 2]], dtype=np.float64)
    assert run(CumulativeSum(1), x).tolist() == [[3, 2, 4, 6]]
    assert run(CumulativeSum(1, exclusive=True, reverse=True), x).tolist() == [[3, 4, 2, 0]]
    assert run(Reduce("log_sum_exp", (1,)), np.array([[1000.0, 1000.0]])) == pytest.approx(1000 + math.log(2))
    assert run(Reduce("l2", (1,), keepdims=False), np.array([[3.0, 4.0]])).tolist() == [5]
    assert run(ArgReduce("max", 1, last=True), np.array([[2.0, 2.0, 1.0]])).tolist() == [[1]]
    values, places = run_operator(Node("n", TopK(3), ("x",), ("v", "p")), (x,), {})
    assert (values.tolist(), places.tolist()) == ([[3, 2, 2]], [[0, 2, 3]])
    assert run(Pad((0, 2), (0, 1), "reflect"), x).tolist() == [[2, -1, 3, -1, 2, 2, 2]]
    assert run(Cast("integer"), np.array([[-1.7, 1.7]])).tolist() == [[-1, 1]]
    assert run(Quantize(8, True, (0.5,), (1,)), np.array([[0.25, 0.75, 99, -99]])).tolist() == [
        [1, 3, 127, -128]
    ]
    assert run(Elementwise("is_nan"), np.array([[np.nan, 1.0]])).tolist() == [[1, 0]]
    assert run(GatherElements(1), x, np.array([[3.0, -4.0]])).tolist() == [[2, 3]]


def test_linear_interpolation_by_hand() -> None:
    x = np.array([0.0, 4.0, 8.0]).reshape(1, 1, 1, 3)
    assert run(Resize((1, 5), "linear", "align_corners"), x).ravel().tolist() == [0, 2, 4, 6, 8]
    # ONNX's case resize_downsample_scales_linear_align_corners: 4 elements by 0.6 are 2.4 long.
    four = np.arange(1.0, 5).reshape(1, 1, 1, 4)
    shrunk = run(Resize((1, 2), "linear", "align_corners", scales=(1.0, 0.6)), four)
    assert shrunk.ravel().tolist() == pytest.approx([1, 3.142857], abs=1e-6)
    assert run(Resize((1, 6), "linear", "asymmetric"), x).ravel().tolist() == [0, 2, 4, 6, 8, 8]
    assert run(Resize((1, 6), "linear", "half_pixel"), x).ravel().tolist() == [0, 1, 3, 5, 7, 8]
    assert run(Resize((1, 6), "nearest", "asymmetric", "floor"), x).ravel().tolist() == [0, 0, 4, 4, 8, 8]


@pytest.mark.parametrize("groups", [1, 2])
def test_no_offsets_are_an_ordinary_convolution(groups: int) -> None:
    random = np.random.default_rng(0)
    op = DeformConv2d(4, (3, 2), (2, 1), (1, 0, 2, 1), (1, 2), groups, offset_groups=2, masked=True)
    x = random.normal(size=(2, 4, 7, 6))
    weight, bias = random.normal(size=(4, 4 // groups, 3, 2)), random.normal(size=4)
    ((_, _, rows, cols),) = op.convolution.infer((x.shape,))
    offsets, mask = np.zeros((2, 24, rows, cols)), np.ones((2, 12, rows, cols))
    found = run(op, x, offsets, mask, weight=weight, bias=bias)
    assert np.allclose(found, run(op.convolution, x, weight=weight, bias=bias), rtol=0, atol=1e-12)
    half = run(op, x, offsets, mask / 2, weight=weight, bias=bias * 0)
    assert np.allclose(2 * half + bias[:, None, None], found, rtol=0, atol=1e-12)


def test_whole_offsets_shift_the_map() -> None:
    random = np.random.default_rng(0)
    op = DeformConv2d(3, (3, 3), bias=False)
    x, weight = random.normal(size=(1, 2, 8, 9)), random.normal(size=(3, 2, 3, 3))
    offsets = np.zeros((1, 18, 6, 7))
    offsets[:, 0::2], offsets[:, 1::2] = 1, -2  # a row down, two columns to the left
    moved = np.zeros_like(x)
    moved[:, :, :-1, 2:] = x[:, :, 1:, :-2]
    found = run(op, x, offsets, weight=weight)
    assert np.allclose(found, run(op.convolution, moved, weight=weight), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["float32", "int16"])
def test_a_network_with_all_kinds_validates(mode: str) -> None:
    b = GraphBuilder("net", (4, 9, 9))
    offsets = b.conv(b.input, 18, 3, padding=1, name="offsets")
    (x,) = b.node(DeformConv2d(6, (3, 3), padding=(1, 1, 1, 1)), b.input, offsets, name="deform")
    (slope,) = b.node(Constant((6, 1, 1)), name="slope")
    (x,) = b.node(BinaryElementwise("prelu"), x, slope, name="prelu")
    (x,) = b.node(Slice((1,), (9,), (1,), (2,)), x, name="cut")
    (x,) = b.node(Pad((0, 0, 1, 1), (0, 0, 1, 1), "edge"), x, name="pad")
    (x,) = b.node(Reduce("mean", (2, 3), keepdims=False), b.conv(x, 8, 3, name="conv"), name="mean")
    result = validate(b.build(b.linear(x, 5, name="fc")), "psconv", mode=mode)  # type: ignore[arg-type]
    assert result.passed, result.problems


@pytest.mark.parametrize("mode", ["int8", "int16"])
@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Slice((1,), (3,), (1,), (1,)), (4, 2)),
        (Take(1, (3, 0)), (4, 2)),
        (Tile((1, 2, 1)), (4, 2)),
        (Expand((4, 3)), (4, 1)),
        (DepthToSpace(2), (4, 2, 3)),
        (Pad((0, 1, 1), (0, 0, 2)), (4, 2)),
        (Pad((0, 1, 1), (0, 0, 1), "edge", 3.0), (4, 2)),
        (Resize((5, 2)), (4, 2, 3)),
    ],
)
def test_what_only_moves_keeps_its_integers(op: Operator, shape: tuple[int, ...], mode: str) -> None:
    graph = one(op, *shape)
    made = plan(graph, {}, mode=mode)  # type: ignore[arg-type]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    integers = made.encode("input", x)
    (found,) = made.execute(graph.node("node"), (integers,))
    assert found.dtype == integers.dtype
    assert np.array_equal(found, run(op, integers))


def test_constants_in_integers() -> None:
    b = GraphBuilder("net", (3, 4, 5))
    (scale,) = b.node(Constant((3, 1, 1)), name="scale")
    (own,) = b.node(ExpandBatch(), scale, b.input, name="own")
    graph = b.build(b.multiply(b.input, own, name="product"))
    weights = {"scale.value": np.array([0.5, -2, 0], np.float32).reshape(1, 3, 1, 1)}
    x = np.random.default_rng(0).uniform(-1, 1, size=(2, 3, 4, 5)).astype(np.float32)
    found = plan(graph, weights, mode="int16", calibration=x).run(x)
    assert isinstance(found, np.ndarray)
    assert np.abs(found - x * weights["scale.value"]).max() < 2e-3
    assert (found[:, 2] == 0).all()


@pytest.mark.parametrize(
    ("op", "outputs"),
    [(Embedding(9, 2), 1), (ArgReduce("max", 1), 1), (TopK(2), 2)],
)
def test_places_are_no_integers_with_a_scale(op: Operator, outputs: int) -> None:
    graph = one(op, 4, outputs=outputs)
    with pytest.raises(UnknownOperatorError, match=rf"^node 'node': {op.kind} works with places of elements"):
        plan(graph, random_weights(graph), mode="int8")


def test_infinite_constants_are_for_floats() -> None:
    b = GraphBuilder("net", (2, 2))
    (mask,) = b.node(Constant((2, 2)), name="mask")
    graph = b.build(b.softmax(b.add(b.input, mask, name="sum"), name="soft"))
    weights = {"mask.value": np.array([[[0, -np.inf], [0, 0]]], np.float32)}
    found = plan(graph, weights).run(np.zeros((1, 2, 2), np.float32))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[[1, 0], [0.5, 0.5]]]
    with pytest.raises(DataError, match="tensor 'mask' is not finite"):
        plan(graph, weights, mode="int8")
    with pytest.raises(WeightsError, match=r"'mask\.value' holds NaN"):
        plan(graph, {"mask.value": np.full((1, 2, 2), np.nan, np.float32)})


def test_random_indices_have_rows() -> None:
    b = GraphBuilder("text", (12,))
    x = b.reshape(b.input, (3, 4), name="rows")
    x = b.node(Embedding(7, 4), b.node(Cast("integer"), x, name="whole")[0], name="table")[0]
    graph = b.build(x)
    images = random_images(graph, 50)
    assert isinstance(images, np.ndarray)
    assert set(np.unique(images)) == set(range(7))
    found = plan(graph, random_weights(graph)).run(images)
    assert isinstance(found, np.ndarray)
    assert found.shape == (50, 3, 4, 4)


def test_a_small_epsilon_matters() -> None:
    b = GraphBuilder("net", (1, 2, 2))

    graph = b.build(b.node(BatchNorm(affine=False, epsilon=3.0), b.input, name="bn")[0])
    weights = {"bn.running_mean": np.zeros(1, np.float32), "bn.running_var": np.ones(1, np.float32)}
    for path in ("reference", "fast"):
        found = plan(graph, weights, path=path).run(np.ones((1, 1, 2, 2), np.float32))  # type: ignore[arg-type]
        assert isinstance(found, np.ndarray)
        assert (found == 0.5).all()
