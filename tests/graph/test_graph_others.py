"""Constants, look-ups, resizing, quantisation, deformable convolution, the newer normalisations."""

from __future__ import annotations

from typing import Any

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import (
    Cast,
    Constant,
    DeformConv2d,
    Dequantize,
    Embedding,
    ExpandBatch,
    GatherElements,
    GraphBuilder,
    InstanceNorm,
    LogSoftmax,
    Operator,
    Quantize,
    Resize,
)
from energysim.graph.lookup import computed_inputs
from energysim.graph.shapes import Shape

MAP = (2, 6, 5, 7)


def test_constants() -> None:
    assert Constant((3, 1, 1)).infer(()) == ((1, 3, 1, 1),)
    assert Constant((3, 1, 1)).parameters(()) == {"value": (1, 3, 1, 1)}
    assert Constant(()).infer(()) == ((1,),)
    assert ExpandBatch().infer(((1, 3), MAP)) == ((2, 3),)
    assert ExpandBatch().infer(((2, 3), MAP)) == ((2, 3),)


def test_what_is_computed() -> None:
    b = GraphBuilder("net", (3, 4, 5))
    (scale,) = b.node(Constant((3, 1, 1)), name="scale")
    (shift,) = b.node(ExpandBatch(), b.reshape(scale, (3, 1, 1), name="again"), b.input, name="shift")
    x = b.multiply(scale, b.input, name="scaled")
    graph = b.build(b.add(x, shift, name="shifted"))
    assert computed_inputs(graph, graph.node("scaled")) == ("input",)
    assert computed_inputs(graph, graph.node("shifted")) == ("scaled",)
    assert computed_inputs(graph, graph.node("shift")) == ("input",)
    assert graph.parameters() == {"scale.value": (1, 3, 1, 1)}
    assert graph.with_batch(4).tensor("shifted").shape == (4, 3, 4, 5)


def test_look_ups() -> None:
    op = Embedding(100, 16)
    assert op.infer(((2, 7),)) == ((2, 7, 16),)
    assert op.parameters(((2, 7),)) == {"weight": (100, 16)}
    assert op.fetched(((2, 7),)) == 14 * 16
    assert op.fetched(((2, 70),)) == 100 * 16
    assert GatherElements(2).infer((MAP, (2, 4, 9, 7))) == ((2, 4, 9, 7),)


def test_resize() -> None:
    for mode, each in (("nearest", 0), ("linear", 4), ("cubic", 16)):
        op = Resize((3, 9), mode)  # type: ignore[arg-type]
        assert op.infer((MAP,)) == ((2, 6, 3, 9),)
        assert op.other_ops((MAP,), ((2, 6, 3, 9),)) == each * 324


def test_quantisation() -> None:
    op = Quantize(8, True, (0.5,), (3,))
    assert (op.infer((MAP,)), op.other_ops((MAP,), (MAP,)), op.limits) == ((MAP,), 1680, (-128, 127))
    assert Quantize(4, False, (0.5,), (3,)).limits == (0, 15)
    assert Dequantize((0.5,) * 6, (0,) * 6, 1).infer((MAP,)) == (MAP,)
    assert Dequantize((0.5,), (3,)).other_ops((MAP,), (MAP,)) == 840
    assert [Cast(to).other_ops((MAP,), (MAP,)) for to in ("float", "integer", "bool")] == [0, 420, 420]  # type: ignore[arg-type]


def test_normalisations() -> None:
    assert InstanceNorm().infer((MAP,)) == (MAP,)
    assert InstanceNorm().parameters((MAP,)) == {"weight": (6,), "bias": (6,)}
    assert InstanceNorm(affine=False).parameters((MAP,)) == {}
    assert InstanceNorm().other_ops((MAP,), (MAP,)) == 7 * 420
    assert LogSoftmax(1).infer((MAP,)) == (MAP,)
    assert LogSoftmax(1).other_ops((MAP,), (MAP,)) == 6 * 420


def test_deformable_convolution_of_the_literature() -> None:
    """64 -> 64 channels, 3x3, on 64 x 64: 150,994,944 MACs; 9,437,184 weighted pixels."""
    x, offsets, mask = (1, 64, 64, 64), (1, 18, 64, 64), (1, 9, 64, 64)
    plain = DeformConv2d(64, (3, 3), padding=(1, 1, 1, 1), bias=False)
    assert plain.infer((x, offsets)) == (x,)
    assert plain.parameters((x, offsets)) == {"weight": (64, 64, 3, 3)}
    assert 4 * plain.samples((x, offsets), (x,)) == 9_437_184
    places = 9 * 64 * 64
    assert plain.other_ops((x, offsets), (x,)) == 9_437_184 + 4 * places
    masked = DeformConv2d(64, (3, 3), padding=(1, 1, 1, 1), masked=True)
    assert masked.infer((x, offsets, mask)) == (x,)
    other = masked.other_ops((x, offsets, mask), (x,))
    assert other == 9_437_184 * 5 // 4 + 4 * places + 64 * 64 * 64


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Constant((3,)), (MAP,), "a constant takes no input"),
        (ExpandBatch(), ((3, 4), MAP), "3x4 cannot be repeated for a batch of 2"),
        (GatherElements(0), (MAP, MAP), "batch axis"),
        (GatherElements(2), (MAP, (2, 7, 5, 7)), "indices 2x7x5x7 do not fit 2x6x5x7 along axis 2"),
        (GatherElements(2), (MAP, (1, 6, 5, 7)), "indices for a batch of 1"),
        (Resize((3, 3)), ((2, 6, 5),), "4 dimensions"),
        (Quantize(8, True, (0.5,) * 5, (0,) * 5, 1), (MAP,), "5 scales along axis 1 of 2x6x5x7"),
        (InstanceNorm(), ((2, 6),), "3 to 8 dimensions"),
        (LogSoftmax(0), (MAP,), "batch axis"),
        (DeformConv2d(4, (3, 3)), (MAP,), r"takes 2 inputs \(map, offsets\), not 1"),
        (DeformConv2d(4, (3, 3)), (MAP, (2, 9, 3, 5)), "the offsets must be 2x18x3x5, not 2x9x3x5"),
        (
            DeformConv2d(4, (3, 3), masked=True),
            (MAP, (2, 18, 3, 5), (2, 18, 3, 5)),
            "the mask must be 2x9x3x5",
        ),
        (DeformConv2d(4, (3, 3), offset_groups=4), (MAP, MAP), "4 offset groups do not divide 6 channels"),
    ],
)
def test_shapes_that_do_not_fit(op: Operator, shapes: tuple[Shape, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        op.infer(shapes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant((0,)), "shape must be an integer of at least 1"),
        (lambda: Embedding(0, 4), "entries"),
        (lambda: Resize((3, 3), "area"), "mode must be one of nearest, linear, cubic, not 'area'"),  # type: ignore[arg-type]
        (lambda: Resize((3, 3), scales=(0.0, 1.0)), "scales must be two positive numbers"),
        (lambda: Quantize(0, True, (1.0,), (0,)), "from 1 to 32, not 0"),
        (lambda: Quantize(8, True, (0.0,), (0,)), "scales must be positive"),
        (lambda: Quantize(8, True, (1.0, 1.0), (0, 0)), "2 scales need an axis"),
        (lambda: Dequantize((1.0,), (0, 0)), "1 scales take as many whole zero points"),
        (lambda: Cast("half"), "to float, integer or bool, not 'half'"),  # type: ignore[arg-type]
        (lambda: DeformConv2d(0, (3, 3)), "out_channels"),
    ],
)
def test_fields_are_checked(make: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()
