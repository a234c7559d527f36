"""Mutated ONNX files raise our own errors, quickly and with little memory, or import."""

from __future__ import annotations

import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from node_cases import cases, with_constants  # noqa: E402
from small_models import conv_model  # noqa: E402
from test_onnx_operators import HALF, MORE, TANH, attention, chain, shuffled  # noqa: E402

from energysim.errors import EnergysimError  # noqa: E402
from energysim.exporters import to_onnx  # noqa: E402
from energysim.importers import import_onnx  # noqa: E402
from energysim.importers.onnx_registry import known_operators  # noqa: E402
from energysim.inference import random_weights  # noqa: E402
from energysim.zoo import load_model  # noqa: E402

#: Numbers that sizes, axes and lengths are replaced with.
NUMBERS = (0, 1, 2, 3, 5, -1, -2, 7, 1000, 10**6, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))
QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@cache
def models() -> tuple[bytes, ...]:
    """Models to begin with: a real network, one with shape arithmetic, attention, patterns."""
    light = Path(onnx.__path__[0]) / "backend" / "test" / "data" / "light"
    digits = load_model("digits_cnn")
    return (
        conv_model().SerializeToString(),
        shuffled().SerializeToString(),
        attention().SerializeToString(),
        chain(
            [*TANH, ("Mul", ["x", "half"], "m"), ("Mul", ["m", "g"], "y")], HALF | MORE
        ).SerializeToString(),
        (light / "light_bvlc_alexnet.onnx").read_bytes(),
        (light / "light_shufflenet.onnx").read_bytes(),
        to_onnx(digits, random_weights(digits)).SerializeToString(),
    )


def harmless(data: bytes) -> None:
    """Import, and read the weights; nothing but our own error, and bounded memory."""
    tracemalloc.start()
    try:
        imported = import_onnx(data)
        if sum(len(str(k)) for k in imported.weights) < 10_000 and _elements(imported) < 10**6:
            dict(imported.weights)
    except EnergysimError as error:
        assert str(error)
        assert "\n" not in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100_000_000


def _elements(imported: Any) -> int:
    total = 0
    for name in imported.weights:
        count = 1
        for length in imported.weights.shape(name):
            count *= length
        total += count
    return total


@st.composite
def broken_bytes(draw: Any) -> bytes:
    """A model with some bytes changed, taken out or put in, or cut short."""
    data = bytearray(models()[draw(st.integers(0, len(models()) - 1))])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1)) if data else 0
        how = draw(st.sampled_from(("change", "delete", "insert", "cut")))
        if how == "change" and data:
            data[place] = draw(st.integers(0, 255))
        elif how == "delete":
            del data[place : place + draw(st.integers(1, 8))]
        elif how == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=6))
        else:
            del data[max(place, len(data) - 300) :]
    return bytes(data)


def _numbers(draw: Any, field: Any) -> None:
    if len(field):
        field[draw(st.integers(0, len(field) - 1))] = draw(st.sampled_from(NUMBERS))


def _change_node(draw: Any, node: Any, names: list[str]) -> None:
    how = draw(st.sampled_from(("operator", "input", "lose", "attribute", "attributes")))
    if how == "operator":
        node.op_type = draw(
            st.sampled_from([*known_operators(), "If", "Constant", "Shape", "Attention", "Loop"])
        )
    elif how == "input" and node.input:
        node.input[draw(st.integers(0, len(node.input) - 1))] = draw(st.sampled_from(names))
    elif how == "lose" and node.input:
        del node.input[draw(st.integers(0, len(node.input) - 1))]
    elif how == "attributes":
        del node.attribute[:]
    elif node.attribute:
        attribute = draw(st.sampled_from(list(node.attribute)))
        _numbers(draw, attribute.ints)
        if attribute.type == onnx.AttributeProto.INT:
            attribute.i = draw(st.sampled_from(NUMBERS))
        if draw(st.integers(0, 9)) == 0:
            attribute.type = draw(st.integers(0, 14))


def _change_tensor(draw: Any, tensor: Any) -> None:
    how = draw(st.sampled_from(("values", "lengths", "type", "rank")))
    if how == "lengths":
        _numbers(draw, tensor.dims)
    elif how == "type":
        tensor.data_type = draw(st.integers(0, 28))
    elif how == "rank" and tensor.dims:
        del tensor.dims[0]
    elif tensor.data_type == onnx.TensorProto.INT64:
        try:
            values = onnx.numpy_helper.to_array(tensor).copy()
        except ValueError:  # broken before
            return
        if values.size:
            values.reshape(-1)[draw(st.integers(0, values.size - 1))] = draw(st.sampled_from(NUMBERS))
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


@st.composite
def broken_models(draw: Any, nodes: bool = False) -> bytes:
    """A whole protobuf message with operators, names, sizes and types that do not fit."""
    start = node_models() if nodes else models()
    made = onnx.ModelProto.FromString(start[draw(st.integers(0, len(start) - 1))])
    names = ["", *(name for node in made.graph.node for name in (*node.input, *node.output))]
    for _ in range(draw(st.integers(1, 3))):
        how = draw(st.sampled_from(("node", "node", "tensor", "input", "set")))
        if how == "node":
            _change_node(draw, draw(st.sampled_from(list(made.graph.node))), names)
        elif how == "tensor" and made.graph.initializer:
            _change_tensor(draw, draw(st.sampled_from(list(made.graph.initializer))))
        elif how == "input" and made.graph.input:
            kind = draw(st.sampled_from(list(made.graph.input))).type.tensor_type
            if kind.shape.dim:
                draw(st.sampled_from(list(kind.shape.dim))).dim_value = draw(st.sampled_from(NUMBERS))
        elif how == "set":
            made.opset_import[0].version = draw(st.integers(5, 30))
    for output in made.graph.output:
        output.type.tensor_type.ClearField("shape")
    return bytes(made.SerializeToString())


@settings(max_examples=150, **QUIET)  # type: ignore[arg-type]
@given(data=broken_bytes())
def test_bytes(data: bytes) -> None:
    harmless(data)


@settings(max_examples=150, **QUIET)  # type: ignore[arg-type]
@given(data=broken_models())
def test_messages(data: bytes) -> None:
    harmless(data)


@pytest.mark.release
@settings(max_examples=3000, **QUIET)  # type: ignore[arg-type]
@given(data=broken_bytes())
def test_many_bytes(data: bytes) -> None:
    harmless(data)


@pytest.mark.release
@settings(max_examples=3000, **QUIET)  # type: ignore[arg-type]
@given(data=broken_models(nodes=True))
def test_many_messages(data: bytes) -> None:
    harmless(data)


@cache
def node_models() -> tuple[bytes, ...]:
    """The models above, and the onnx package's node tests that have axes and sizes in them."""
    found = list(models())
    for case in cases().values():
        if len(case.model.graph.node) < 12:
            found.append(with_constants(case.model, list(case.data_sets[0][0])).SerializeToString())
    return tuple(found)
