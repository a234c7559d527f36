"""Integer mode: bit by bit against plain Python, compact against dense, and the rules of rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import inference_loops as loops
import numpy as np
import pytest

from energysim.errors import WeightsError
from energysim.graph import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv2d,
    ConvTranspose2d,
    GraphBuilder,
    LayerGraph,
    Linear,
    MatMul,
    Node,
)
from energysim.graph.elementwise import EPSILON
from energysim.inference import calibrate, plan, random_images, random_weights
from energysim.inference.integer import IntegerPlan
from energysim.inference.integer_layers import EXACT, integer_layer, products_in
from energysim.inference.quantise import WIDTHS, quantised, rescaled
from energysim.schemes import parse_scheme
from energysim.zoo import load_model

Array = np.ndarray[Any, Any]
LARGEST = {"int8": 127, "int16": 32767}


def saturated(value: float, largest: int) -> int:
    """Python's round takes halves to the even integer."""
    return max(-largest, min(largest, round(value)))


def network() -> LayerGraph:
    """Everything that is native in integers, a batch norm, and an average."""
    b = GraphBuilder("net", (3, 7, 6))
    x = b.relu(b.conv(b.input, 6, 3, padding=(1, 0, 1, 2), name="first"), name="act1")
    y = b.conv(x, 6, (3, 2), (2, 1), (1, 1, 1, 1), dilation=(1, 2), groups=3, bias=False, name="grouped")
    y = b.relu(b.batch_norm(y, name="bn"), name="act2")
    z = b.pool(b.conv(x, 4, 1, name="side"), 2, 2, name="pool")
    up = b.conv_transpose(z, 6, 2, 2, groups=2, name="up")
    up = b.upsample(b.pool(up, 2, mode="average", name="mean"), (2, 2), name="double")
    joined = b.relu(b.add(y, b.conv(x, 6, 3, (2, 1), 1, name="again"), name="sum"), name="act3")
    flat = b.concat(b.flatten(joined), b.flatten(b.channel_shuffle(up, 3)), name="joined")
    return b.build(b.linear(flat, 5, name="fc"))


class Plain:
    """The rules of ``energysim.inference.quantise`` in plain Python, one number at a time."""

    def __init__(self, made: IntegerPlan, weights: Mapping[str, Array], mode: str) -> None:
        self.made, self.weights, self.largest = made, weights, LARGEST[mode]
        self.power = {"int8": 30, "int16": 46}[mode]

    def scale(self, tensor: str) -> Array:
        return np.asarray(self.made.encodings[tensor].scale)

    def filters(self, node: Node) -> tuple[Array, Array | None, list[float]]:
        """Integer weights and biases of a layer as Python integers, and the scales of its filters."""
        weight, bias = self.weights[f"{node.name}.weight"], self.weights.get(f"{node.name}.bias")
        incoming = float(self.scale(node.inputs[0]))
        scales = []
        whole = np.empty(weight.shape, dtype=object)
        for m in range(len(weight)):
            scale = max(abs(float(v)) for v in weight[m].ravel()) / self.largest
            if bias is not None:
                scale = max(scale, abs(float(bias[m])) / (incoming * 2.0**self.power))
            scales.append(scale or 1.0)
            for at in np.ndindex(weight.shape[1:]):
                whole[(m, *at)] = saturated(float(weight[(m, *at)]) / scales[m], self.largest)
        if bias is None:
            return whole, None, scales
        steps = [round(float(b) / (incoming * s)) for b, s in zip(bias, scales, strict=True)]
        return whole, np.array(steps, dtype=object), scales

    def sums(self, node: Node, x: Array) -> tuple[Array, list[float]]:
        weight, bias, scales = self.filters(node)
        x = x.astype(object)
        if isinstance(node.op, Conv2d):
            return loops.conv2d(node.op, x, weight, bias), scales
        if isinstance(node.op, ConvTranspose2d):
            return loops.conv_transpose2d(node.op, x, weight, bias), scales
        assert bias is not None
        return np.array(
            [
                [
                    sum(a * b for a, b in zip(row, w, strict=True)) + c
                    for w, c in zip(weight, bias, strict=True)
                ]
                for row in x
            ],
            dtype=object,
        ), scales

    def multiplied(self, node: Node, x: Array) -> Array:
        sums, filters = self.sums(node, x)
        out, incoming = self.made.encodings[node.outputs[0]], float(self.scale(node.inputs[0]))
        if out.dtype != WIDTHS[self.made.mode].narrow:
            return sums
        found = np.empty(sums.shape, dtype=object)
        for at in np.ndindex(sums.shape):
            factor = incoming * filters[at[1]] / float(out.scale)
            found[at] = saturated(float(sums[at]) * factor, self.largest)
        return found

    def at(self, tensor: str, where: tuple[int, ...]) -> float:
        scale = self.scale(tensor)
        return float(scale if scale.ndim == 0 else scale.ravel()[where[1]])

    def added(self, node: Node, inputs: tuple[Array, ...]) -> Array:
        new = float(self.scale(node.outputs[0]))
        found = np.empty(inputs[0].shape, dtype=object)
        for at in np.ndindex(found.shape):
            parts = [int(x[at]) * (self.at(t, at) / new) for t, x in zip(node.inputs, inputs, strict=True)]
            found[at] = saturated(parts[0] + parts[1], self.largest)
        return found

    def rescaled(self, node: Node, tensor: str, x: Array) -> Array:
        new = float(self.scale(node.outputs[0]))
        found = np.empty(x.shape, dtype=object)
        for at in np.ndindex(x.shape):
            found[at] = saturated(float(int(x[at])) * (self.at(tensor, at) / new), self.largest)
        return found

    def normalised(self, node: Node, x: Array) -> Array:
        new = float(self.scale(node.outputs[0]))
        own = {
            s: [float(v) for v in self.weights[f"{node.name}.{s}"]]
            for s in ("weight", "bias", "running_mean", "running_var")
        }
        found = np.empty(x.shape, dtype=object)
        for at in np.ndindex(x.shape):
            c = at[1]
            value = float(int(x[at])) * self.at(node.inputs[0], at)
            factor = 1 / (own["running_var"][c] + EPSILON) ** 0.5
            value = (value - own["running_mean"][c]) * factor * own["weight"][c] + own["bias"][c]
            found[at] = saturated(value / new, self.largest)
        return found


def prepared(mode: Any, path: Any = "reference") -> tuple[LayerGraph, Any, IntegerPlan]:
    graph = network()
    weights = calibrate(graph, random_weights(graph, 3), random_images(graph, 4))
    made = plan(graph, weights, mode=mode, path=path)
    assert isinstance(made, IntegerPlan)
    return graph, weights, made


@pytest.mark.parametrize("mode", ["int8", "int16"])
@pytest.mark.parametrize("path", ["reference", "compact"])
def test_bit_by_bit_against_plain_python(mode: Any, path: Any) -> None:
    graph, weights, made = prepared(mode, path)
    plain, checked = Plain(made, weights, mode), set()
    images: Any = random_images(graph, 2, seed=9)
    scale = float(made.encodings["input"].scale)
    whole = made.encode("input", images)
    assert whole.ravel().tolist() == [saturated(float(v) / scale, LARGEST[mode]) for v in images.ravel()]
    for node, inputs, (found,) in made.walk(images):
        op, tensor = node.op, node.inputs[0]
        if isinstance(op, Conv2d | ConvTranspose2d | Linear):
            wanted = plain.multiplied(node, inputs[0])
        elif isinstance(op, Add):
            wanted = plain.added(node, inputs)
        elif isinstance(op, BatchNorm):
            wanted = plain.normalised(node, inputs[0])
        elif isinstance(op, Concat):
            wanted = np.concatenate(
                [plain.rescaled(node, t, x) for t, x in zip(node.inputs, inputs, strict=True)], 1
            )
        elif op == Activation("relu"):
            wanted = plain.rescaled(node, tensor, np.maximum(inputs[0], 0))
        else:
            continue
        checked.add(type(op).__name__)
        assert found.dtype == made.encodings[node.outputs[0]].dtype
        assert np.array_equal(found, wanted), node.name
    assert checked == {"Conv2d", "ConvTranspose2d", "Linear", "Add", "BatchNorm", "Concat", "Activation"}


def test_what_is_held_how() -> None:
    _, _, made = prepared("int8")
    kinds = {t: e.dtype.name for t, e in made.encodings.items()}
    wide = {"first", "grouped", "fc"}  # read by an activation, by a batch norm, by nobody
    assert {t for t, kind in kinds.items() if kind == "int32"} == wide
    assert {kind for t, kind in kinds.items() if t not in wide} == {"int8"}
    same = [("bn", "act2"), ("side", "pool"), ("sum", "act3"), ("mean", "double")]
    for a, b in same:
        assert made.encodings[a].scale == made.encodings[b].scale
    assert made.encodings["first"].scale.shape == (6, 1, 1)


def same_bits(graph: LayerGraph, mode: Any) -> None:
    """The two paths give the same integers, types included, node by node."""
    weights, images = random_weights(graph, 1), random_images(graph, 1, seed=3)
    dense = plan(graph, weights, mode=mode, calibration=images)
    packed = plan(graph, weights, mode=mode, path="compact", calibration=images)
    a, b = dense.trace(images), packed.trace(images)
    for (name, left), (other, right) in zip(a, b, strict=True):
        assert name == other
        assert all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(left, right, strict=True)), (
            name
        )
    assert packed.counter.total.macs <= dense.counter.total.macs


SCHEMES = ("dense", "psconv", "psconv:PS2_P6", "psconv:PSD1_P16", "psc:kss=2")


@pytest.mark.parametrize("mode", ["int8", "int16"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_compact_equals_dense_bit_by_bit(mode: Any, scheme: str) -> None:
    b = GraphBuilder("net", (3, 12, 11))
    x = b.relu(b.conv(b.input, 20, 3, padding=1))
    for channels, stride, groups in ((21, 1, 1), (24, 2, 3), (27, 1, 1)):
        y = b.conv(x, channels, 3, stride, 1, groups=groups, bias=False)
        x = b.relu(b.batch_norm(y))
    graph = b.build(b.linear(b.flatten(b.pool(x, 2)), 9))
    same_bits(parse_scheme(scheme).apply(graph).graph, mode)


def test_compact_equals_dense_bit_by_bit_on_a_whole_network() -> None:
    same_bits(parse_scheme("psconv").apply(load_model("resnet18-cifar10")).graph, "int8")


SIZES = ("vgg16-cifar10", "vgg16-tiny", "vgg16", "resnet18-cifar10", "resnet18-tiny", "resnet18")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scheme", "mode"),
    [
        *((name, "psconv", mode) for name in SIZES for mode in ("int8", "int16")),
        *(
            (name, scheme, "int8")
            for name in SIZES
            if "-cifar10" in name
            for scheme in SCHEMES
            if scheme != "psconv"
        ),
    ],
)
def test_whole_networks_bit_by_bit(name: str, scheme: str, mode: Any) -> None:
    same_bits(parse_scheme(scheme).apply(load_model(name)).graph, mode)


def test_integers_are_near_the_float_network() -> None:
    graph, weights, _ = prepared("int8")
    images = random_images(graph, 4)
    exact = plan(graph, weights).run(images)
    assert isinstance(exact, np.ndarray)
    for mode, share in (("int8", 0.1), ("int16", 2e-3)):
        found = plan(graph, weights, mode=mode).run(images)  # type: ignore[arg-type]
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float32
        assert np.abs(found - exact).max() < share * exact.std()


def test_attention_in_integers() -> None:
    b = GraphBuilder("attention", (5, 8))
    x = b.layer_norm(b.learned_add(b.learned_token(b.input)))
    graph = b.build(b.activation(b.linear(b.attention(x, 2), 6, name="fc"), "gelu"))
    weights = random_weights(graph)
    images = random_images(graph, 4)
    exact: Any = plan(graph, weights).run(images)
    for mode, share in (("int8", 0.2), ("int16", 1e-2)):
        made: Any = plan(graph, weights, mode=mode)  # type: ignore[arg-type]
        assert np.abs(made.run(images) - exact).max() < share * exact.std()
        for node, inputs, (found, *_) in made.walk(images):
            if isinstance(node.op, MatMul):
                sums = np.matmul(inputs[0].astype(object), inputs[1].astype(object))
                scale = float(made.encodings[node.inputs[0]].scale * made.encodings[node.inputs[1]].scale)
                factor = scale / float(made.encodings[node.outputs[0]].scale)
                wanted = [saturated(float(v) * factor, LARGEST[mode]) for v in sums.ravel()]
                assert found.ravel().tolist() == wanted


@pytest.mark.parametrize("mode", ["int8", "int16"])
def test_rounding_and_saturation(mode: str) -> None:
    width, top = WIDTHS[mode], LARGEST[mode]
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1e9, -1e9, 0.49])
    assert quantised(values, np.array(1.0), width).tolist() == [0, 2, 2, 0, -2, -2, top, -top, 0]
    steps = np.array([1, 3, 5, -1, -3, 10**6, -(10**6)])
    assert rescaled(steps, np.array(0.5), np.array(1.0), width).tolist() == [0, 2, 2, 0, -2, top, -top]
    assert quantised(values, np.array(1.0), width).dtype == width.narrow


def layer(weight: Array, mode: str, bias: Array | None = None) -> Any:
    node = Node("fc", Linear(len(weight), bias is not None), ("x",), ("y",))
    own = {"weight": weight.astype(np.float32)} | ({} if bias is None else {"bias": bias.astype(np.float32)})
    return node, integer_layer(node, own, 1.0, WIDTHS[mode], None)


def test_products_beyond_float64_are_multiplied_as_integers() -> None:
    assert products_in(EXACT - 1) == np.float64
    assert products_in(EXACT) == np.int64
    node, made = layer(np.ones((1, (1 << 23) + 1)), "int16")
    assert made.bound == ((1 << 23) + 1) * 32767 * 32768 > EXACT / 2
    wide = np.full((1, 1 << 9), 1.0)
    node, small = layer(wide, "int16")
    assert small.compute == np.float64
    forced = type(small)(small.weight, small.bias, small.filter_scale, small.bound, np.dtype(np.int64))
    x = np.random.default_rng(0).integers(-32767, 32768, (3, 1 << 9)).astype(np.int16)
    assert np.array_equal(small.sums(node, (x,))[0], forced.sums(node, (x,))[0])


def test_sums_that_32_bits_cannot_hold_are_refused() -> None:
    with pytest.raises(
        WeightsError, match=r"node 'fc': sums of products may reach .*, more than int32 holds"
    ):
        layer(np.ones((1, 140_000)), "int8")
    layer(np.ones((1, 130_000)), "int8")


def test_a_filter_of_zeros_keeps_its_bias() -> None:
    node, made = layer(np.zeros((3, 4)), "int8", np.array([0.0, 1e-3, -700.0]))
    x = np.full((1, 4), 99, np.int8)
    sums, _ = made.sums(node, (x,))
    assert np.allclose(sums[0] * made.filter_scale, [0, 1e-3, -700], rtol=1e-8)


def test_ranges_come_from_the_images_given() -> None:
    graph = network()
    weights = random_weights(graph)
    small: Any = plan(graph, weights, mode="int8", calibration=np.full((1, 3, 7, 6), 0.5))
    large: Any = plan(graph, weights, mode="int8", calibration=np.full((1, 3, 7, 6), 5.0))
    assert float(small.encodings["input"].scale) == 0.5 / 127
    assert float(large.encodings["input"].scale) == 5.0 / 127
    nothing: Any = plan(graph, weights, mode="int8", calibration=np.zeros((1, 3, 7, 6)))
    assert float(nothing.encodings["input"].scale) == 1.0
    assert np.isfinite(nothing.run(np.zeros((1, 3, 7, 6)))).all()
