"""Element-wise functions by name, of one, two or more tensors.

Every function counts as one operation per element of its output (assumed, as for activations);
the identity as none; n-ary sums and extremes as one per element and input after the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import GraphError, ShapeError, near_miss
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import ANY_RANK, Shape, broadcast, need_rank, product

__all__ = ["COMBINATIONS", "FUNCTIONS", "BinaryElementwise", "Elementwise", "Where"]

#: Function of one tensor -> (number of constant arguments, operations per element).
FUNCTIONS: dict[str, tuple[int, int]] = {
    "identity": (0, 0),
    **dict.fromkeys(
        (
            *("abs", "negate", "sign", "ceil", "floor", "round", "exp", "log", "sqrt", "reciprocal", "erf"),
            *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
            *("softplus", "softsign", "mish", "gelu_tanh", "is_nan", "is_inf", "logical_not"),
        ),
        (0, 1),
    ),
    **dict.fromkeys(
        (
            *("quick_gelu", "elu", "celu", "thresholded_relu", "leaky_relu", "swish"),
            *("add", "subtract", "subtract_from", "multiply", "divide", "divide_into", "power", "power_of"),
            *("modulo", "minimum", "maximum", "equal", "less", "greater"),
            *("less_or_equal", "greater_or_equal"),
        ),
        (1, 1),
    ),
    **dict.fromkeys(("selu", "shrink", "hard_sigmoid", "clip"), (2, 1)),
}
#: Function of two tensors -> whether it takes more than two.
COMBINATIONS: dict[str, bool] = {
    **dict.fromkeys(("minimum", "maximum", "mean"), True),
    **dict.fromkeys(
        (
            *("subtract", "divide", "power", "modulo", "remainder", "prelu"),
            *("equal", "less", "greater", "less_or_equal", "greater_or_equal", "and", "or", "xor"),
        ),
        False,
    ),
}


@dataclass(frozen=True)
class Elementwise(Operator):
    """A function of each element.

    Parameters
    ----------
    function : str
        One of :data:`FUNCTIONS`. ``subtract_from`` is argument - x, ``divide_into`` argument / x,
        ``power`` x ** argument, ``power_of`` argument ** x; comparisons give 1 or 0.
    arguments : tuple of float
        Its constants: ``clip`` low and high, ``selu`` alpha and gamma, ``shrink`` bias and lambda,
        ``hard_sigmoid`` alpha and beta, ``leaky_relu`` the slope, ``elu`` and the like alpha.
    """

    function: str
    arguments: tuple[float, ...] = ()

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            hint = near_miss(str(self.function), FUNCTIONS)
            raise GraphError(
                f"unknown element-wise function {self.function!r}{hint} ({', '.join(sorted(FUNCTIONS))})"
            )
        wanted = FUNCTIONS[self.function][0]
        if len(self.arguments) != wanted or not all(type(a) is float for a in self.arguments):
            raise GraphError(f"{self.function} takes a tuple of {wanted} floats, not {self.arguments!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, self.function)
        return (shapes[0],)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return FUNCTIONS[self.function][1] * product(outputs[0])


@dataclass(frozen=True)
class BinaryElementwise(Operator):
    """A function of two tensors, element by element; axes of length 1 are repeated.

    ``minimum``, ``maximum`` and ``mean`` take more than two. ``modulo`` has the sign of the divisor,
    ``remainder`` that of the dividend; ``prelu`` is x, or below zero x times the second tensor;
    comparisons and logic give 1 or 0, and take what is not 0 as true. Besides :class:`Add` and
    :class:`Multiply`.
    """

    function: str

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.function not in COMBINATIONS:
            hint = near_miss(str(self.function), COMBINATIONS)
            raise GraphError(
                f"unknown function of two tensors {self.function!r}{hint} ({', '.join(sorted(COMBINATIONS))})"
            )

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 2 and not COMBINATIONS[self.function]:
            raise ShapeError(f"{self.function} takes 2 inputs, not {len(shapes)}")
        return (broadcast(shapes, self.function),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        each = len(inputs) if self.function == "mean" else len(inputs) - 1
        return each * product(outputs[0])


@dataclass(frozen=True)
class Where(Operator):
    """The element of the second tensor where the first is not 0, of the third where it is."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 3:
            raise ShapeError(f"a choice takes 3 inputs (condition, if true, if false), not {len(shapes)}")
        return (broadcast(shapes, "a choice"),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0])
