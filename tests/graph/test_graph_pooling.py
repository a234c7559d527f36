"""Pooling: windows and adaptive windows against enumeration."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import GraphError, ShapeError
from energysim.graph import AdaptivePool2d, Pool2d
from energysim.graph.shapes import Shape


@pytest.mark.parametrize(
    ("op", "input", "output"),
    [
        (Pool2d("max", (2, 2), (2, 2)), (1, 8, 7, 10), (1, 8, 3, 5)),
        (Pool2d("max", (2, 2), (2, 2), ceil_mode=True), (1, 8, 7, 10), (1, 8, 4, 5)),
        (Pool2d("max", (3, 3), (2, 2), (1, 1, 1, 1)), (2, 64, 112, 112), (2, 64, 56, 56)),
        (Pool2d("average", (1, 4), (3, 2)), (1, 8, 7, 10), (1, 8, 3, 4)),
        (Pool2d("max", (3, 3), (1, 1), (1, 0, 2, 0)), (1, 8, 7, 10), (1, 8, 6, 10)),
        (Pool2d("max", (3, 2), (1, 1), dilation=(2, 3)), (1, 8, 7, 10), (1, 8, 3, 7)),
        (AdaptivePool2d("average"), (2, 512, 7, 9), (2, 512, 1, 1)),
        (AdaptivePool2d("max", (7, 6)), (2, 512, 5, 13), (2, 512, 7, 6)),
    ],
)
def test_shapes(op: Pool2d | AdaptivePool2d, input: Shape, output: Shape) -> None:
    assert op.infer((input,)) == (output,)
    assert op.parameters((input,)) == {}
    assert op.category == "stream"


def test_one_operation_a_window_element() -> None:
    op = Pool2d("max", (3, 2), (2, 2))
    shape = (2, 8, 7, 10)
    assert op.other_ops((shape,), op.infer((shape,))) == 2 * 8 * 3 * 5 * 6
    whole = AdaptivePool2d("average")
    assert whole.other_ops((shape,), whole.infer((shape,))) == 2 * 8 * 70


SIDES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(SIDES, SIDES)
@settings(deadline=None, max_examples=200)
def test_adaptive_windows(size: tuple[int, int], output: tuple[int, int]) -> None:
    """Window i of n covers floor(i*H/n) to ceil((i+1)*H/n): no element is left out."""
    touched = []
    for length, count in zip(size, output, strict=True):
        spans = [
            range(floor(Fraction(i * length, count)), ceil(Fraction((i + 1) * length, count)))
            for i in range(count)
        ]
        assert set().union(*spans) == set(range(length))
        touched.append(sum(map(len, spans)))
    op = AdaptivePool2d("average", output)
    shape = (3, 5, *size)
    assert op.infer((shape,)) == ((3, 5, *output),)
    assert op.other_ops((shape,), op.infer((shape,))) == 15 * touched[0] * touched[1]


@given(
    SIDES, st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(st.integers(1, 4), st.integers(1, 4))
)
@settings(deadline=None, max_examples=300)
def test_ceil_mode_reaches_the_end(
    size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int]
) -> None:
    """Without padding, the hanging windows see every row and column that a stride leads to."""
    op = Pool2d("max", window, stride, ceil_mode=True)
    if window[0] > size[0] or window[1] > size[1]:
        with pytest.raises(ShapeError, match="does not fit"):
            op.infer(((1, 1, *size),))
        return
    (out,) = op.infer(((1, 1, *size),))
    for length, k, s, count in zip(size, window, stride, out[2:], strict=True):
        starts = [i * s for i in range(count)]
        assert starts[-1] < length
        assert starts[-1] + k >= length or starts[-1] + s >= length
        assert all(start + k < length for start in starts[:-1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pool2d("min", (2, 2), (2, 2)), "one of max, average, not 'min'"),
        (lambda: AdaptivePool2d("mean"), "one of max, average, not 'mean'"),
        (lambda: Pool2d("max", (2, 0), (2, 2)), "window"),
        (lambda: Pool2d("max", (2, 2), (2, 0)), "stride"),
        (lambda: Pool2d("max", (2, 2), (2, 2), dilation=(2, 0)), "dilation"),
        (lambda: Pool2d("max", (2, 2), (2, 2), (0, 0, 0, -1)), "padding"),
        (lambda: Pool2d("max", (2, 3), (2, 2), (0, 2, 0, 0)), "nothing but padding"),
        (lambda: Pool2d("max", (3, 2), (2, 2), (2, 2, 2, 1)), "nothing but padding"),
        (lambda: AdaptivePool2d("max", (0, 1)), "output"),
    ],
)
def test_fields_are_checked(make: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("op", [Pool2d("max", (2, 2), (2, 2)), AdaptivePool2d("max")])
def test_needs_a_map(op: Pool2d | AdaptivePool2d) -> None:
    with pytest.raises(ShapeError, match="4 dimensions, not 1x8"):
        op.infer(((1, 8),))
