"""Slices, padding, repetition, blocks: shapes and what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import GraphError, ShapeError
from energysim.graph import DepthToSpace, Expand, Node, Operator, Pad, Slice, SpaceToDepth, Take, Tile
from energysim.graph.shapes import Shape
from energysim.inference.reference import run_operator

MAP = (2, 6, 7, 5)


@pytest.mark.parametrize(
    ("op", "shape", "result", "category"),
    [
        (Slice((1,), (3,), (1,), (1,)), MAP, (2, 2, 7, 5), "view"),
        (Slice((0, 6), (100, -100), (2, -3), (-1, 2)), MAP, (2, 6, 3, 3), "view"),
        (Take(2, (0, -1, 3, 3)), MAP, (2, 6, 4, 5), "view"),
        (Pad((0, 0, 1, 2), (0, 0, 3, -1)), MAP, (2, 6, 11, 6), "stream"),
        (Tile((1, 2, 1, 3)), MAP, (2, 12, 7, 15), "stream"),
        (Expand((6, 7, 5)), (2, 1, 7, 1), MAP, "stream"),
        (DepthToSpace(2), (2, 12, 3, 5), (2, 3, 6, 10), "view"),
        (SpaceToDepth(2), (2, 3, 6, 10), (2, 12, 3, 5), "view"),
    ],
)
def test_shapes(op: Operator, shape: Shape, result: Shape, category: str) -> None:
    assert op.infer((shape,)) == (result,)
    assert op.category == category
    assert op.other_ops((shape,), (result,)) == 0
    assert op.infer(((7, *shape[1:]),)) == ((7, *result[1:]),)  # another batch


@pytest.mark.parametrize(
    ("op", "shape", "message"),
    [
        (Slice((0,), (1,), (1,), (0,)), MAP, "slicing along axis 0 of 2x6x7x5 .*batch axis"),
        (Slice((0,), (1,), (1,), (4,)), MAP, "slicing along axis 4"),
        (Slice((0, 0), (1, 1), (1, 1), (1, -3)), MAP, "names axis 1 twice"),
        (Slice((3,), (3,), (1,), (1,)), MAP, "keeps nothing of axis 1 of 2x6x7x5"),
        (Take(1, (6,)), MAP, "axis 1 of 2x6x7x5 has no element 6"),
        (Take(1, (-7,)), MAP, "no element -7"),
        (Pad((0, 0), (0, 0)), MAP, "padding of 2x6x7x5 takes 4 numbers before and after"),
        (Pad((1, 0), (0, 0)), (2, 3), "0 for the batch"),
        (Pad((0, -2), (0, -1)), (2, 3), "leaves nothing of 3 elements"),
        (Pad((0, 1), (0, 0), "reflect"), (2, 1), "single element"),
        (Tile((2, 1)), (2, 3), "1 for the batch"),
        (Expand((6, 7)), MAP, "cannot be expanded to Nx6x7"),
        (Expand((6, 7, 4)), MAP, "cannot be expanded to Nx6x7x4"),
        (DepthToSpace(2), MAP, "blocks of 2x2 do not divide 6 channels"),
        (SpaceToDepth(2), MAP, "do not divide a map of 7x5"),
    ],
)
def test_shapes_that_do_not_fit(op: Operator, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        op.infer((shape,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Slice((0,), (1, 2), (1,), (1,)), "as many starts, stops and steps as axes"),
        (lambda: Slice((0,), (1,), (0,), (1,)), "may not be 0"),
        (lambda: Slice((0.5,), (1,), (1,), (1,)), "starts must be a tuple of whole numbers"),  # type: ignore[arg-type]
        (lambda: Take(1, ()), "at least one index"),
        (lambda: Pad((0,), (0,), "mirror"), "constant, reflect, edge, wrap, not 'mirror'"),  # type: ignore[arg-type]
        (lambda: Tile((1, 0)), "repeats must be an integer of at least 1"),
        (lambda: DepthToSpace(0), "block"),
        (lambda: DepthToSpace(2, "RCD"), "DCR or CRD, not 'RCD'"),  # type: ignore[arg-type]
    ],
)
def test_fields_are_checked(make: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()


@given(
    st.integers(1, 9),
    st.integers(-12, 12),
    st.integers(-12, 12),
    st.integers(-4, 4).filter(bool),
)
def test_slices_are_those_of_python(size: int, start: int, stop: int, step: int) -> None:
    numbers = list(range(size))
    # ONNX has no way to leave a stop out: -12 is before the first of at most 9 elements.
    begin = max(min(start, size - 1), -size - 1) if step < 0 and start >= -size else start
    end = None if step < 0 and stop < -size else stop
    wanted = [] if step < 0 and start < -size else numbers[begin:end:step]
    op = Slice((start,), (stop,), (step,), (1,))
    x = np.array([numbers], dtype=np.float32)
    if not wanted:
        with pytest.raises(ShapeError):
            op.infer((x.shape,))
        return
    (found,) = run_operator(Node("n", op, ("x",), ("y",)), (x,), {})
    assert found.tolist() == [wanted]
    assert op.infer((x.shape,)) == (found.shape,)


def test_blocks_by_hand() -> None:
    x = np.arange(8, dtype=np.float32).reshape(1, 8, 1, 1)
    (dcr,) = run_operator(Node("n", DepthToSpace(2), ("x",), ("y",)), (x,), {})
    assert dcr.tolist() == [[[[0, 2], [4, 6]], [[1, 3], [5, 7]]]]
    (crd,) = run_operator(Node("n", DepthToSpace(2, "CRD"), ("x",), ("y",)), (x,), {})
    assert crd.tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]
    (back,) = run_operator(Node("n", SpaceToDepth(2), ("x",), ("y",)), (dcr,), {})
    assert np.array_equal(back, x)
