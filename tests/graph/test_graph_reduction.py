"""Reductions, places of extremes, running sums, the largest elements."""

from __future__ import annotations

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import ArgReduce, CumulativeSum, Reduce, TopK
from energysim.graph.reduction import REDUCTIONS

MAP = (2, 6, 5, 7)  # 420 elements


@pytest.mark.parametrize("function", REDUCTIONS)
def test_reduction(function: str) -> None:
    kept = Reduce(function, (1, -1))
    assert kept.infer((MAP,)) == ((2, 1, 5, 1),)
    assert Reduce(function, (1, -1), keepdims=False).infer((MAP,)) == ((2, 5),)
    assert Reduce(function, (1, 2, 3), keepdims=False).infer((MAP,)) == ((2,),)
    assert kept.places(4) == (1, 3)
    wanted = {
        "sum": 420,
        "mean": 420 + 10,
        "max": 420,
        "min": 420,
        "prod": 420,
        "l1": 840,
        "l2": 840 + 10,
        "sum_square": 840,
        "log_sum": 420 + 10,
        "log_sum_exp": 4 * 420 + 20,
    }
    assert kept.other_ops((MAP,), ((2, 1, 5, 1),)) == wanted[function]


def test_others() -> None:
    assert ArgReduce("max", 1).infer((MAP,)) == ((2, 1, 5, 7),)
    assert ArgReduce("min", -1, keepdims=False).infer((MAP,)) == ((2, 6, 5),)
    assert ArgReduce("max", 1).other_ops((MAP,), ((2, 1, 5, 7),)) == 420
    assert CumulativeSum(2).infer((MAP,)) == (MAP,)
    assert CumulativeSum(2).other_ops((MAP,), (MAP,)) == 420
    assert TopK(3, 1).infer((MAP,)) == ((2, 3, 5, 7), (2, 3, 5, 7))
    # A heap of 1, 2, 3, 4, 5: one comparison, and as many as it is deep.
    assert [TopK(k, 1).other_ops((MAP,), ()) for k in (1, 2, 3, 4, 5)] == [420, 840, 1260, 1260, 1680]


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (Reduce("sum", (0,)), "axis 0 .*batch axis is not allowed"),
        (Reduce("sum", (1, -3)), "names an axis twice"),
        (Reduce("sum", (4,)), "along axis 4"),
        (ArgReduce("max", 0), "batch axis"),
        (CumulativeSum(-4), "batch axis"),
        (TopK(7, 1), "axis 1 of 2x6x5x7 has no 7 elements"),
    ],
)
def test_shapes_that_do_not_fit(op: Reduce, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        op.infer((MAP,))


def test_fields_are_checked() -> None:
    with pytest.raises(GraphError, match=r"a reduction is one of sum, .*, not 'median'"):
        Reduce("median", (1,))
    with pytest.raises(GraphError, match="axes must be a tuple of whole numbers"):
        Reduce("sum", ())
    with pytest.raises(GraphError, match="max or min, not 'mean'"):
        ArgReduce("mean", 1)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="count must be an integer of at least 1"):
        TopK(0)
