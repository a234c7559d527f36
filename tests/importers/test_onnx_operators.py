"""Forms of operators, patterns, widths and names; outputs against the package's reference evaluator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from node_cases import run  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from small_models import FLOAT, conv_model, model, node, weights  # noqa: E402

from energysim.errors import GraphError, UnknownOperatorError  # noqa: E402
from energysim.graph import Conv2d, LayerNorm, Linear  # noqa: E402
from energysim.importers import Imported, import_onnx  # noqa: E402
from energysim.importers.onnx_registry import LOWERS, find, state  # noqa: E402
from energysim.workload import MacWorkload, lower  # noqa: E402

MAP = (2, 6, 9, 7)


def agree(made: Any, given: Any = None, close: float = 1e-5) -> Imported:
    """Import, run on random inputs, compare with onnx's reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    imported = import_onnx(made.SerializeToString(), given)
    inputs = {name: weights(*shape, seed=7) for name, shape in imported.inputs.items()}
    wanted = ReferenceEvaluator(made).run(None, inputs)
    for found, expected in zip(run(imported, inputs), wanted, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=close, atol=close)
    return imported


def kinds(imported: Imported) -> list[str]:
    return [n.op.kind for n in imported.graph]


def macs(imported: Imported) -> int:
    graph = imported.graph
    return sum(w.nest.macs for w in (lower(graph, n) for n in graph) if isinstance(w, MacWorkload))


def single(operator: str, *arrays: Any, lengths: Any = MAP, opset: int = 22, **more: Any) -> Any:
    names = [f"{operator.lower()}.{suffix}" for suffix in ("weight", "bias", "c", "d")][: len(arrays)]
    return model(
        [node(operator, ["x", *names], ["y"], **more)],
        {"x": lengths},
        ["y"],
        dict(zip(names, arrays, strict=True)),
        opset,
    )


# ---------------------------------------------------------------- what multiplies


@pytest.mark.parametrize(
    ("shape", "lengths", "more", "output"),
    [
        ((4, 6, 3, 2), MAP, {"strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}, (2, 4, 5, 6)),
        ((4, 3, 3, 2), MAP, {"group": 2}, (2, 4, 7, 6)),
        ((6, 1, 3, 3), MAP, {"group": 6, "auto_pad": "SAME_UPPER", "strides": [2, 2]}, (2, 6, 5, 4)),
        ((4, 6, 2, 2), MAP, {"auto_pad": "SAME_LOWER"}, (2, 4, 9, 7)),
        ((4, 6, 3, 3), MAP, {"auto_pad": "VALID", "strides": [2, 2]}, (2, 4, 4, 3)),
        ((4, 6, 3), (2, 6, 11), {"strides": [2], "pads": [1, 2], "dilations": [2]}, (2, 4, 5)),
    ],
)
def test_convolutions(shape: Any, lengths: Any, more: Any, output: Any) -> None:
    imported = agree(single("Conv", weights(*shape), weights(shape[0]), lengths=lengths, **more))
    ((_, found),) = imported.outputs.values()
    assert found == output
    # One multiply-add per weight and output position.
    assert macs(imported) == math.prod(shape) * math.prod(output) // output[1]
    assert imported.graph.node("conv").op.bias


def test_negative_pads_crop() -> None:
    imported = import_onnx(single("Conv", weights(4, 6, 3, 3), pads=[-1, 1, 0, -2]).SerializeToString())
    assert imported.outputs["y"][1] == (2, 4, 6, 4)
    x = weights(*MAP, seed=7)
    (found,) = run(imported, {"x": x})
    cropped = np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 0)))[:, :, 1:, :-2]
    (wanted,) = run(
        import_onnx(single("Conv", weights(4, 6, 3, 3), lengths=cropped.shape).SerializeToString()),
        {"x": cropped},
    )
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    "more",
    [
        {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 2]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"dilations": [2, 1]},
    ],
)
def test_transposed_convolutions(more: Any) -> None:
    made = single("ConvTranspose", weights(6, 4, 3, 3), weights(4), **more)
    imported = agree(made, close=1e-4)
    assert macs(imported) == 6 * 4 * 9 * 9 * 7 * 2  # every weight meets every input pixel


@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("third", [(5,), (1, 5), (), (3, 1), (3, 5), None])
def test_gemm(turned: int, third: Any) -> None:
    shape = (5, 8) if turned else (8, 5)
    arrays = [weights(*shape), *([] if third is None else [np.float32(weights(*third))])]
    made = single("Gemm", *arrays, lengths=(3, 8), transB=turned, alpha=0.5, beta=2.0)
    imported = agree(made)
    assert imported.graph.node("gemm").op == Linear(5, third in ((5,), (1, 5), ()))
    assert macs(imported) == 3 * 8 * 5


def test_gemm_of_turned_and_computed_matrices() -> None:
    made = model(
        [node("Gemm", ["a", "b", "c"], ["y"], transA=1, transB=1, alpha=2.0, beta=0.5)],
        {"a": (4, 3), "b": (5, 4), "c": (3, 5)},
        ["y"],
    )
    assert macs(agree(made)) == 3 * 4 * 5


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [
        ((2, 3, 4), (4, 5), 2 * 3 * 4 * 5),
        ((2, 7, 3, 4), (1, 1, 4, 5), 2 * 7 * 3 * 4 * 5),
        ((2, 3, 4), (4,), 2 * 3 * 4),
        ((4,), (4, 5), 4 * 5),
        ((3, 4), (2, 4, 5), 2 * 3 * 4 * 5),
    ],
)
def test_products_with_constants(left: Any, right: Any, count: int) -> None:
    made = model([node("MatMul", ["x", "w"], ["y"])], {"x": left}, ["y"], {"w": weights(*right)})
    assert macs(agree(made)) == count


def test_a_constant_on_the_left() -> None:
    made = model([node("MatMul", ["w", "x"], ["y"])], {"x": (2, 4, 5)}, ["y"], {"w": weights(3, 4)})
    imported = agree(made)
    assert macs(imported) == 2 * 3 * 4 * 5
    assert [n.op.kind for n in imported.graph if n.op.category == "mac"] == ["Linear"]


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [
        ((2, 3, 4, 5), (2, 3, 5, 6), 2 * 3 * 4 * 5 * 6),
        ((2, 3, 4, 5), (2, 1, 5, 6), 2 * 3 * 4 * 5 * 6),
        ((4, 5), (5, 6), 4 * 5 * 6),
        ((5,), (5,), 5),
        ((1, 3, 4, 5), (5, 6), 3 * 4 * 5 * 6),
    ],
)
def test_products_of_computed_tensors(left: Any, right: Any, count: int) -> None:
    made = model([node("MatMul", ["a", "b"], ["y"])], {"a": left, "b": right}, ["y"])
    assert macs(agree(made)) == count


# ---------------------------------------------------------------- shapes and batches


def shuffled() -> Any:
    """A channel shuffle whose shapes are computed, as older exporters write it."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "i0"], ["n"]),
        node("Gather", ["s", "i2"], ["h"]),
        node("Unsqueeze", ["n", "zero"], ["n1"]),
        node("Unsqueeze", ["h", "zero"], ["h1"]),
        node("Slice", ["s", "three", "four"], ["w1"]),
        node("Concat", ["n1", "groups", "each", "h1", "w1"], ["table"], axis=0),
        node("Reshape", ["x", "table"], ["t"]),
        node("Transpose", ["t"], ["u"], perm=[0, 2, 1, 3, 4]),
        node("Concat", ["n1", "all", "h1", "w1"], ["flat"], axis=0),
        node("Cast", ["flat"], ["flat32"], to=TensorProto.INT32),
        node("Cast", ["flat32"], ["flat64"], to=TensorProto.INT64),
        node("Reshape", ["u", "flat64"], ["v"]),
        node("Relu", ["v"], ["y"]),
    ]
    arrays = {
        "i0": np.int64(0),
        "i2": np.int64(2),
        **{name: np.array([value]) for name, value in (("zero", 0), ("three", 3), ("four", 4), ("all", -1))},
        "groups": np.array([3]),
        "each": np.array([2]),
    }
    return model(nodes, {"x": ("N", 6, "H", "W")}, ["y"], arrays)


def test_shape_arithmetic_is_folded() -> None:
    imported = agree(shuffled(), {"x": (2, 6, 5, 4)})
    assert kinds(imported) == ["ChannelShuffle", "Activation"]


def attention(heads: int = 2, batch: int | str = 1) -> Any:
    """Self-attention with the batch moved to the second axis and merged with the heads, as PyTorch does."""
    depth = 8 // heads
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2])]
    for name in "qkv":
        nodes += [
            node("MatMul", ["t", f"{name}.weight"], [f"{name}1"]),
            node("Add", [f"{name}1", f"{name}.bias"], [f"{name}2"]),
            node("Reshape", [f"{name}2", "split"], [f"{name}3"]),
            node("Transpose", [f"{name}3"], [f"{name}4"], perm=[1, 0, 2]),
        ]
    nodes += [
        node("Transpose", ["k4"], ["k5"], perm=[0, 2, 1]),
        node("MatMul", ["q4", "k5"], ["scores"]),
        node("Div", ["scores", "root"], ["scaled"]),
        node("Softmax", ["scaled"], ["shares"], axis=-1),
        node("MatMul", ["shares", "v4"], ["mixed"]),
        node("Transpose", ["mixed"], ["m1"], perm=[1, 0, 2]),
        node("Reshape", ["m1", "joined"], ["m2"]),
        node("Transpose", ["m2"], ["y"], perm=[1, 0, 2]),
    ]
    arrays = {f"{n}.weight": weights(8, 8, seed=ord(n)) for n in "qkv"}
    arrays |= {f"{n}.bias": weights(8, seed=ord(n)) for n in "qkv"}
    arrays |= {"split": np.array([5, heads, depth]), "joined": np.array([5, 1, 8])}
    return model(nodes, {"x": (batch, 5, 8)}, ["y"], arrays | {"root": np.float32(math.sqrt(depth))})


def test_attention_that_moves_the_batch() -> None:
    imported = agree(attention())
    # Three projections of 5 vectors, and twice 5 x 5 products of all 8 numbers.
    assert macs(imported) == 3 * 5 * 8 * 8 + 2 * 5 * 5 * 8
    assert imported.graph.node("q").op == Linear(8)
    larger = imported.graph.with_batch(3)
    assert larger.tensor(larger.outputs[0]).shape == (
        3,
        *imported.graph.tensor(imported.graph.outputs[0]).shape[1:],
    )


def test_batches_that_are_mixed_become_one_sample() -> None:
    made = model(
        [node("ReduceSum", ["x", "a"], ["y"], keepdims=0)], {"x": (3, 4)}, ["y"], {"a": np.array([0])}
    )
    imported = agree(made)
    assert imported.graph.tensor("x").shape == (1, 3, 4)
    assert imported.outputs["y"][1] == (4,)


def test_local_functions_are_opened() -> None:
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    leaky = onnx.NodeProto(op_type="LeakyRelu", input=["b"], output=["c"])
    leaky.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=1))
    body = [helper.make_node("Add", ["a", "k"], ["b"]), leaky]
    inner = helper.make_function("local", "Inner", ["a", "k"], ["c"], body, sets, ["slope"])
    outer = helper.make_function(
        "local",
        "Outer",
        ["p", "q"],
        ["r"],
        [helper.make_node("Inner", ["p", "q"], ["r"], "in", domain="local", slope=0.25)],
        sets,
    )
    made = model(
        [helper.make_node("Outer", ["x", "k"], ["y"], "out", domain="local")],
        {"x": (2, 4)},
        ["y"],
        {"k": weights(4)},
        domains={"local": 1},
        functions=[inner, outer],
    )
    imported = import_onnx(made.SerializeToString())
    x = weights(2, 4)
    (found,) = run(imported, {"x": x})
    shifted = x + weights(4)
    assert np.allclose(found, np.where(shifted < 0, shifted / 4, shifted))
    assert imported.graph.nodes[-1].op.arguments == (0.25,)
    assert imported.graph.nodes[-1].name.startswith("out/in/")


@pytest.mark.parametrize("taken", [True, False])
def test_branches_that_are_known(taken: bool) -> None:
    branches = [
        helper.make_graph([node(op, ["x"], [op])], op, [], [helper.make_tensor_value_info(op, FLOAT, None)])
        for op in ("Relu", "Tanh")
    ]
    made = model(
        [node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])],
        {"x": (2, 4)},
        ["y"],
        {"c": np.array(taken)},
    )
    assert agree(made).graph.nodes[0].op.function == ("relu" if taken else "tanh")


# ---------------------------------------------------------------- patterns


def chain(steps: list[tuple[Any, ...]], arrays: Any = None, lengths: Any = (2, 5, 8)) -> Any:
    """Nodes (operator, inputs, output, attributes)."""
    nodes = [node(s[0], s[1], [s[2]], **(s[3] if len(s) > 3 else {})) for s in steps]
    return model(nodes, {"x": lengths}, ["y"], arrays)


HALF = {"half": np.float32(0.5), "one": np.float32(1), "root": np.float32(math.sqrt(2))}
GATE = [("Div", ["x", "root"], "a"), ("Erf", ["a"], "b"), ("Add", ["b", "one"], "g")]
TANH = [
    ("Pow", ["x", "three"], "p"),
    ("Mul", ["p", "small"], "q"),
    ("Add", ["x", "q"], "r"),
    ("Mul", ["r", "slope"], "s"),
    ("Tanh", ["s"], "t"),
    ("Add", ["one", "t"], "g"),
]
MORE = {
    "three": np.float32(3),
    "small": np.float32(0.044715),
    "slope": np.float32(math.sqrt(2 / math.pi)),
    "six": np.float32(6),
    "zero": np.float32(0),
}


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([("Sigmoid", ["x"], "s"), ("Mul", ["x", "s"], "y")], "silu"),
        ([("Sigmoid", ["x"], "s"), ("Mul", ["s", "x"], "y")], "silu"),
        (
            [("HardSigmoid", ["x"], "s", {"alpha": 1 / 6, "beta": 0.5}), ("Mul", ["x", "s"], "y")],
            "hardswish",
        ),
        (
            [
                ("Add", ["x", "three"], "a"),
                ("Clip", ["a", "zero", "six"], "b"),
                ("Mul", ["x", "b"], "c"),
                ("Div", ["c", "six"], "y"),
            ],
            "hardswish",
        ),
        (
            [
                ("Add", ["x", "three"], "a"),
                ("Clip", ["a", "zero", "six"], "b"),
                ("Div", ["b", "six"], "c"),
                ("Mul", ["c", "x"], "y"),
            ],
            "hardswish",
        ),
        ([*GATE, ("Mul", ["x", "g"], "m"), ("Mul", ["m", "half"], "y")], "gelu"),
        ([*GATE, ("Mul", ["x", "half"], "m"), ("Mul", ["m", "g"], "y")], "gelu"),
        ([*GATE, ("Mul", ["g", "half"], "m"), ("Mul", ["x", "m"], "y")], "gelu"),
        ([*TANH, ("Mul", ["x", "half"], "m"), ("Mul", ["m", "g"], "y")], "gelu_tanh"),
        ([*TANH, ("Mul", ["x", "g"], "m"), ("Mul", ["half", "m"], "y")], "gelu_tanh"),
    ],
)
def test_functions_written_out(steps: Any, kind: str) -> None:
    (only,) = agree(chain(steps, HALF | MORE)).graph.nodes
    assert only.op.function == kind  # type: ignore[attr-defined]


def test_a_part_that_others_read_stays() -> None:
    steps = [("Sigmoid", ["x"], "s"), ("Mul", ["x", "s"], "m"), ("Add", ["m", "s"], "y")]
    assert kinds(agree(chain(steps))) == ["Activation", "Activation", "Add"]


def test_other_constants_are_no_gelu() -> None:
    steps = [*GATE, ("Mul", ["x", "g"], "m"), ("Mul", ["m", "half"], "y")]
    imported = agree(chain(steps, HALF | {"root": np.float32(1.5)}))
    assert "gelu" not in [getattr(n.op, "function", "") for n in imported.graph]


@pytest.mark.parametrize("squared", [("Pow", ["d", "two"], "s"), ("Mul", ["d", "d"], "s")])
def test_layer_norms_written_out(squared: Any) -> None:
    steps = [
        ("ReduceMean", ["x", "last"], "m"),
        ("Sub", ["x", "m"], "d"),
        squared,
        ("ReduceMean", ["s", "last"], "v"),
        ("Add", ["v", "eps"], "e"),
        ("Sqrt", ["e"], "r"),
        ("Div", ["d", "r"], "n"),
        ("Mul", ["n", "ln.weight"], "w"),
        ("Add", ["w", "ln.bias"], "y"),
    ]
    arrays = {"last": np.array([-1]), "eps": np.float32(1e-6), "two": np.float32(2)}
    imported = agree(chain(steps, arrays | {"ln.weight": weights(8), "ln.bias": weights(8, seed=1)}))
    assert [(n.name, n.op) for n in imported.graph] == [("ln", LayerNorm(True, 1e-6))]


def test_biases_behind_layers_become_theirs() -> None:
    steps = [("MatMul", ["x", "fc.weight"], "a"), ("Add", ["fc.bias", "a"], "y")]
    arrays = {"fc.weight": weights(8, 3), "fc.bias": weights(3)}
    imported = agree(chain(steps, arrays))
    assert [(n.name, n.op) for n in imported.graph] == [("fc", Linear(3))]
    made = chain(
        [("Conv", ["x", "c.weight"], "a"), ("Add", ["a", "b"], "y")],
        {"c.weight": weights(3, 6, 1, 1), "b": weights(1, 3, 1, 1)},
        MAP,
    )
    assert [(n.name, n.op) for n in agree(made).graph] == [("c", Conv2d(3, (1, 1)))]


# ---------------------------------------------------------------- widths


def test_half_precision_is_sixteen_bits() -> None:
    made = conv_model()
    for tensor in made.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for info in (*made.graph.input, *made.graph.output):
        info.type.tensor_type.elem_type = TensorProto.FLOAT16
    imported = import_onnx(made.SerializeToString())
    assert {t.name: t.bits for t in imported.graph.tensors.values()} == {"x": 16, "conv": 16, "y": 16}
    assert imported.graph.parameter_bits == {"conv.weight": 16, "conv.bias": 16}
    assert imported.weights["conv.weight"].dtype == np.float32
    assert import_onnx(conv_model().SerializeToString()).graph.parameter_bits == {}


def test_quantised_tensors_have_their_widths() -> None:
    """QDQ: 8-bit activations, 4-bit weights per channel with zero points."""
    codes = np.random.default_rng(0).integers(-8, 8, (4, 3, 3, 3)).astype(np.int8)
    nodes = [
        node("QuantizeLinear", ["x", "sx", "zx"], ["xq"]),
        node("DequantizeLinear", ["xq", "sx", "zx"], ["xd"]),
        node("DequantizeLinear", ["conv.weight_quantized", "sw", "zw"], ["wd"], axis=0),
        node("Conv", ["xd", "wd"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "sy", "zy"], ["rq"]),
        node("DequantizeLinear", ["rq", "sy", "zy"], ["y"]),
    ]
    arrays = {
        "sx": np.float32(0.02),
        "zx": np.uint8(128),
        "sy": np.float32(0.05),
        "zy": np.uint8(0),
        "sw": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    }
    made = model(nodes, {"x": (1, 3, 8, 8)}, ["y"], arrays, opset=21)
    for name, values in (("conv.weight_quantized", codes), ("zw", np.array([0, 1, -1, 2], np.int8))):
        made.graph.initializer.append(
            helper.make_tensor(name, TensorProto.INT4, values.shape, values.reshape(-1).tolist())
        )
    imported = agree(made, close=0.06)  # one step where both round a half
    graph = imported.graph
    conv = graph.node("conv")
    assert graph.parameter_bits["conv.weight"] == 4
    assert [graph.tensor(t).bits for t in conv.inputs] == [8]
    scale = np.array([0.1, 0.2, 0.3, 0.4], np.float32).reshape(4, 1, 1, 1)
    zero = np.array([0, 1, -1, 2]).reshape(4, 1, 1, 1)
    assert np.allclose(imported.weights["conv.weight"], (codes - zero) * scale)
    assert graph.tensor(graph.outputs[0]).bits == 8


def test_quantised_convolutions_have_their_widths() -> None:
    arrays = {
        **{name: np.float32(value) for name, value in (("xs", 0.1), ("ys", 0.3))},
        **{name: np.uint8(value) for name, value in (("xz", 3), ("yz", 9))},
        "ws": np.array([0.2, 0.1], np.float32),
        "wz": np.array([1, 0], np.int8),
        "q.weight": np.random.default_rng(0).integers(-9, 9, (2, 3, 3, 3)).astype(np.int8),
        "b": np.array([40, -70], np.int32),
    }
    names = ["x", "xs", "xz", "q.weight", "ws", "wz", "ys", "yz", "b"]
    made = model(
        [node("QLinearConv", names, ["y"], pads=[1, 1, 1, 1])], {"x": (1, 3, 6, 6)}, ["y"], arrays, kind=2
    )
    imported = import_onnx(made.SerializeToString())
    graph = imported.graph
    assert [n.op.kind for n in graph] == ["Dequantize", "Conv2d", "Quantize"]
    assert graph.parameter_bits["q.weight"] == 8
    assert graph.tensor(graph.node("q").inputs[0]).bits == 8
    x = np.random.default_rng(1).integers(0, 255, (1, 3, 6, 6)).astype(np.uint8)
    (found,) = run(imported, {"x": x})
    # The definition, in integers: sums of (x - 3) (w - z), scaled, rounded, shifted, saturated.
    padded = np.pad(x.astype(np.int64) - 3, ((0, 0), (0, 0), (1, 1), (1, 1)))
    kernel = arrays["q.weight"].astype(np.int64) - np.array([1, 0]).reshape(2, 1, 1, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    sums = np.einsum("nchwrs,mcrs->nmhw", windows, kernel) + arrays["b"].reshape(1, 2, 1, 1)
    steps = sums * (0.1 * arrays["ws"].astype(float) / 0.3).reshape(1, 2, 1, 1)
    wanted = np.clip(np.rint(steps) + 9, 0, 255)
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 0.02


# ---------------------------------------------------------------- names, states


@pytest.mark.parametrize(
    ("weight", "name", "expected"),
    [
        ("features.0.weight", "node_conv", "features.0"),
        ("conv1_w_0", "n7", "conv1_w_0"),
        ("onnx::Conv_12", "/layer/Conv", "/layer/Conv"),
        ("12", "Conv_3", "Conv_3"),
        ("a.weight_quantized", "q", "a"),
    ],
)
def test_layers_are_called_like_their_weights(weight: str, name: str, expected: str) -> None:
    nodes = [node("Conv", ["x", weight], ["c"], name), node("Conv", ["c", weight], ["y"], "again")]
    made = model(nodes, {"x": MAP}, ["y"], {weight: weights(6, 6, 1, 1)})
    found = [n.name for n in import_onnx(made.SerializeToString()).graph]
    assert found[0] == expected
    assert len(set(found)) == 2


def test_states_of_operators() -> None:
    assert state("", "Conv", 18) == "counted"
    assert state("", "Identity", 18) == "free"
    assert state("", "LSTM", 18) == state("my.ops", "Conv", 1) == state("", "Gelu", 19) == "unknown"
    for domain, operator, since in LOWERS:
        assert find(domain, operator, 99) in LOWERS.values()
        if state(domain, operator, since) != "free":
            assert state(domain, operator, since) == "counted"


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 18, 21, 22])
def test_old_and_new_operator_sets(opset: int) -> None:
    """Axes, limits and lengths move from attributes to inputs; softmax changes its meaning at 13."""
    old = {"axes": [2], "starts": [1], "ends": [7]}
    steps: list[Any] = [
        ("Slice", ["x"], "a", old) if opset < 10 else ("Slice", ["x", "starts", "ends", "axes"], "a"),
        ("Unsqueeze", ["a"], "b", {"axes": [1]}) if opset < 13 else ("Unsqueeze", ["a", "first"], "b"),
        ("Squeeze", ["b"], "c", {"axes": [1]}) if opset < 13 else ("Squeeze", ["b", "first"], "c"),
        ("Clip", ["c"], "d", {"min": -1.0, "max": 1.0})
        if opset < 11
        else ("Clip", ["c", "low", "high"], "d"),
        ("Softmax", ["d"], "e", {"axis": 1}),
        ("ReduceSum", ["e"], "y", {"axes": [1]}) if opset < 13 else ("ReduceSum", ["e", "first"], "y"),
    ]
    nodes = [node(s[0], s[1], [s[2]], **(s[3] if len(s) > 3 else {})) for s in steps]
    arrays = {
        **{
            name: np.array([value]) for name, value in (("starts", 1), ("ends", 7), ("axes", 2), ("first", 1))
        },
        **{"low": np.float32(-1), "high": np.float32(1)},
    }
    used = {name for s in steps for name in s[1]}
    made = model(nodes, {"x": MAP}, ["y"], {k: v for k, v in arrays.items() if k in used}, opset)
    imported = import_onnx(made.SerializeToString())
    x = weights(*MAP, seed=7)
    (found,) = run(imported, {"x": x})
    cut = np.clip(x[:, :, 1:7], -1, 1)
    axes = (1, 2, 3) if opset < 13 else (1,)
    wanted = (np.exp(cut) / np.exp(cut).sum(axis=axes, keepdims=True)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(("kind", "bits"), [("INT4", 4), ("UINT4", 4), ("INT8", 8)])
def test_narrow_weights_in_blocks(kind: str, bits: int) -> None:
    """Values of four bits lie two to a number of the file: 192 of them take 96 bytes at least."""
    numbers = np.random.default_rng(0).integers(0, 8, (32, 6))
    zeros = np.random.default_rng(1).integers(0, 3, (2, 6))
    made = model(
        [
            node("DequantizeLinear", ["w", "scale", "zero"], ["real"], axis=0, block_size=16),
            node("MatMul", ["x", "real"], ["y"]),
        ],
        {"x": (3, 32)},
        ["y"],
        {"scale": weights(2, 6)},
        opset=21,
    )
    for name, array in (("w", numbers), ("zero", zeros)):
        made.graph.initializer.append(
            helper.make_tensor(name, getattr(TensorProto, kind), array.shape, array.reshape(-1).tolist())
        )
    imported = agree(made)
    (layer,) = [n for n in imported.graph if n.op.kind == "Linear"]
    assert imported.graph.parameter_bits[f"{layer.name}.weight"] == bits
    real = (numbers - np.repeat(zeros, 16, 0)) * np.repeat(weights(2, 6), 16, 0)
    np.testing.assert_allclose(imported.weights[f"{layer.name}.weight"], real.T, rtol=1e-6)


@pytest.mark.parametrize(
    ("equation", "one", "other", "constant", "products"),
    [
        ("bhid,bhjd->bhij", (2, 3, 5, 4), (2, 3, 6, 4), False, 2 * 3 * 5 * 6 * 4),
        ("bhij,bhjd->bhid", (2, 3, 5, 6), (2, 3, 6, 4), False, 2 * 3 * 5 * 6 * 4),
        ("bij,bkj", (2, 5, 4), (2, 6, 4), False, None),  # summed over b too: ik
        ("bchw,bkc->bkhw", (2, 3, 4, 5), (2, 6, 3), False, 2 * 6 * 4 * 5 * 3),
        ("bij,kj->bik", (2, 5, 4), (6, 4), True, 2 * 5 * 6 * 4),
        ("bhid,hdo->bio", (2, 3, 5, 4), (3, 4, 7), True, 2 * 5 * 7 * 12),
        ("bid,hdo->bhio", (2, 5, 4), (3, 4, 7), True, 2 * 5 * 4 * 21),
        ("ij,ij->", (3, 4), (3, 4), False, 12),
        ("i,i", (4,), (4,), False, 4),
    ],
)
def test_sums_of_products(equation: str, one: Any, other: Any, constant: bool, products: Any) -> None:
    given = {"x": one} | ({} if constant else {"z": other})
    arrays = {"z": weights(*other)} if constant else {}
    made = model([node("Einsum", ["x", "z"], ["y"], equation=equation)], given, ["y"], arrays)
    imported = agree(made)
    if products is None:
        products = math.prod(one) * 6
    assert macs(imported) == products
    if constant:  # from the other side
        ((_, shape),) = imported.outputs.values()
        left, right = equation.partition("->")[0].split(",")
        turned = f"{right},{left}->{equation.partition('->')[2]}"
        made = model([node("Einsum", ["z", "x"], ["y"], equation=turned)], given, ["y"], arrays)
        again = agree(made)
        assert (macs(again), again.outputs["y"][1]) == (products, shape)


@pytest.mark.parametrize(
    ("equation", "error", "message"),
    [
        ("bij,bij->bij", UnknownOperatorError, "sums nothing"),
        ("bij,bij->bi,", GraphError, "no list of letters"),
        ("bij,bkl->bik", UnknownOperatorError, "sums one operand alone"),
        ("bii,bik->bk", UnknownOperatorError, "takes a diagonal"),
        ("...ij,...jk->...ik", UnknownOperatorError, "has an ellipsis"),
        ("bij,jk->bik", GraphError, "'jk' for an operand of 3 dimensions"),
        ("bij,bjk->bix", GraphError, "letters that no operand has"),
        ("bij,bki->bjk", GraphError, "'i' is 3 and 4"),
    ],
)
def test_other_sums_of_products(equation: str, error: Any, message: str) -> None:
    made = model([node("Einsum", ["x", "x"], ["y"], equation=equation)], {"x": (2, 3, 4)}, ["y"])
    with pytest.raises(error, match=message):
        import_onnx(made.SerializeToString())
