"""The arithmetic of windows against enumeration."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import GraphError, ShapeError
from energysim.graph.shapes import (
    as_pads,
    as_pair,
    need_integers,
    need_rank,
    product,
    text,
    window_outputs,
)

AXIS = st.fixed_dictionaries(
    {
        "size": st.integers(1, 30),
        "window": st.integers(1, 7),
        "stride": st.integers(1, 5),
        "before": st.integers(0, 4),
        "after": st.integers(0, 4),
        "dilation": st.integers(1, 4),
    }
)


def enumerated(
    size: int, window: int, stride: int, before: int, after: int, dilation: int, ceil_mode: bool
) -> int:
    """Slide a window over the padded elements and count the places it takes."""
    last = size + after - 1
    count, start = 0, -before
    while True:
        taps = [start + k * dilation for k in range(window)]
        if taps[-1] > last:
            break
        count, start = count + 1, start + stride
    covered = start - stride + (window - 1) * dilation
    if ceil_mode and count and covered < last and start < size:
        count += 1
    return count


@given(AXIS, st.booleans())
@settings(deadline=None, max_examples=600)
def test_window_outputs_is_an_enumeration(axis: dict[str, int], ceil_mode: bool) -> None:
    expected = enumerated(**axis, ceil_mode=ceil_mode)
    if expected:
        assert window_outputs(**axis, ceil_mode=ceil_mode) == expected
    else:
        with pytest.raises(ShapeError, match="does not fit"):
            window_outputs(**axis, ceil_mode=ceil_mode)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((224, 7, 2, 3, 3), 112),
        ((224, 11, 4, 2, 2), 55),
        ((227, 11, 4, 0, 0), 55),
        ((112, 3, 2, 0, 0, 1, False), 55),
        ((112, 3, 2, 0, 0, 1, True), 56),
        ((5, 3, 1, 2, 2, 2), 5),
        ((4, 2, 3, 1, 1, 1, True), 2),
        ((1, 1, 5, 0, 0, 1, True), 1),
        # a third window would start in the padding behind the input
        ((4, 2, 4, 1, 1, 1, True), 2),
        ((3, 2, 4, 1, 1, 1, True), 1),
    ],
)
def test_window_outputs(arguments: tuple[int, ...], expected: int) -> None:
    assert window_outputs(*arguments) == expected  # type: ignore[arg-type]


def test_pairs_and_pads() -> None:
    assert as_pair(3, "window") == (3, 3)
    assert as_pair([3, 5], "window") == (3, 5)
    assert as_pads(1) == (1, 1, 1, 1)
    assert as_pads((1, 2)) == (1, 1, 2, 2)
    assert as_pads([1, 2, 3, 4]) == (1, 2, 3, 4)


@pytest.mark.parametrize("value", [0, -1, (1, 2, 3), (), True, (1, 0), 2.0, "33", (1.5, 2), None])
def test_no_pair(value: object) -> None:
    with pytest.raises(GraphError, match="window"):
        as_pair(value, "window")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, (1, 2, 3), (0, 0, 0, -1), (1, 2, 3, 4, 5), "same", None, False])
def test_no_pads(value: object) -> None:
    with pytest.raises(GraphError, match="padding"):
        as_pads(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [[1, 2], (1,), 3, None, (1, 0), (1, 2.0)])
def test_fields_are_tuples_of_integers(value: object) -> None:
    with pytest.raises(GraphError, match="stride"):
        need_integers(value, 2, "stride")


def test_product_and_text() -> None:
    assert product(()) == 1
    assert product((2**40, 2**40)) == 2**80
    assert text((1, 64, 56, 7)) == "1x64x56x7"


def test_need_rank() -> None:
    with pytest.raises(ShapeError, match=r"pooling takes 1 input\(s\), not 2"):
        need_rank(((1, 2), (1, 2)), 1, (4,), "pooling")
    with pytest.raises(ShapeError, match="pooling needs an input of 3 or 4 dimensions, not 1x2"):
        need_rank(((1, 2),), 1, (3, 4), "pooling")
