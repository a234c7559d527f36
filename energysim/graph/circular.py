"""The implicit half of a semi-implicit step: a linear solve per channel on a periodic map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import GraphError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Pair, Shape, need_integers, need_rank, product

__all__ = ["CircularSolve"]


@dataclass(frozen=True)
class CircularSolve(Operator):
    """``y = (I + h L^T L)^-1 x`` channel by channel, L a convolution with a circular boundary.

    ``(L x)[i, j] = sum over r, s of w[c, 0, r, s] x[i + r - R//2, j + s - S//2]``, places modulo H and W.
    Two-dimensional Fourier transforms make L a product, so y is the transform of x divided by
    ``1 + h |L^|^2``, transformed back (Haber, Lensink, Treister, Ruthotto, "IMEXnet", ICML 2019,
    arXiv 1903.02639).

    Operations (derived, about 5 n log2 n for a transform of n pixels; the logarithm rounded up: assumed):
    for each map of A = H*W pixels ``10 A ceil(log2 A)`` for both transforms and 2 A for the division. The
    divisors are made when the network is loaded (assumed).

    Parameters
    ----------
    step : float
        h, above 0.
    window : (int, int)
        R, S of L.
    """

    step: float
    window: Pair = (3, 3)

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        need_integers(self.window, 2, "window")
        if type(self.step) is not float or not 0 < self.step < float("inf"):
            raise GraphError(f"a step is a number above 0, not {self.step!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "a solve on a map")
        return (shapes[0],)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return {"weight": (shapes[0][1], 1, *self.window)}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        pixels = product(inputs[0][2:])
        return product(inputs[0][:2]) * pixels * (10 * (pixels - 1).bit_length() + 2)
