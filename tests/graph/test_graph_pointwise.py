"""Element-wise functions by name."""

from __future__ import annotations

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import BinaryElementwise, Elementwise, Where
from energysim.graph.pointwise import COMBINATIONS, FUNCTIONS
from energysim.inference.reference import pointwise

MAP = (2, 6, 5, 7)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_operation_per_element(function: str) -> None:
    op = Elementwise(function, (0.5,) * FUNCTIONS[function][0])
    for shape in ((3,), (3, 4), MAP, (1, 2, 3, 4, 5)):
        assert op.infer((shape,)) == (shape,)
    assert op.other_ops((MAP,), (MAP,)) == (0 if function == "identity" else 420)
    assert op.category == "epilogue"


@pytest.mark.parametrize("function", COMBINATIONS)
def test_combinations(function: str) -> None:
    op = BinaryElementwise(function)
    assert op.infer(((2, 6, 1, 7), (2, 1, 5, 1))) == (MAP,)
    assert op.category == "stream"
    divisions = 420 if function == "mean" else 0
    assert op.other_ops((MAP, MAP), (MAP,)) == 420 + divisions
    if COMBINATIONS[function]:
        assert op.infer((MAP, MAP, MAP)) == (MAP,)
        assert op.other_ops((MAP, MAP, MAP), (MAP,)) == 2 * 420 + divisions
    else:
        with pytest.raises(ShapeError, match=f"{function} takes 2 inputs, not 3"):
            op.infer((MAP, MAP, MAP))


def test_every_function_can_be_run() -> None:
    assert set(pointwise.FUNCTIONS) == set(FUNCTIONS)
    assert set(pointwise.COMBINATIONS) == set(COMBINATIONS)


def test_where() -> None:
    assert Where().infer(((2, 1, 5, 1), MAP, (1, 1, 1, 1))) == (MAP,)
    assert Where().other_ops((MAP, MAP, MAP), (MAP,)) == 420
    with pytest.raises(ShapeError, match="takes 3 inputs"):
        Where().infer((MAP, MAP))
    with pytest.raises(ShapeError, match="a choice of shapes 2x6x5x7 and 2x6x5x6"):
        Where().infer((MAP, (2, 6, 5, 6), MAP))


def test_fields_are_checked() -> None:
    with pytest.raises(GraphError, match=r"unknown element-wise function 'sqr'.*did you mean 'sqrt'"):
        Elementwise("sqr")
    with pytest.raises(GraphError, match=r"clip takes a tuple of 2 floats, not \(1\.0,\)"):
        Elementwise("clip", (1.0,))
    with pytest.raises(GraphError, match=r"add takes a tuple of 1 floats, not \(1,\)"):
        Elementwise("add", (1,))
    with pytest.raises(GraphError, match="unknown function of two tensors 'add'"):
        BinaryElementwise("add")
