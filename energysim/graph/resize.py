"""Maps resized to any size, by the rules of ONNX's Resize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from energysim.errors import GraphError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Pair, Shape, need_integers, need_rank, product

__all__ = ["Coordinates", "Resize", "Rounding"]

Coordinates = Literal[
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"
]
Rounding = Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
#: Elements that make one output: as many operations.
_OPERATIONS = {"nearest": 0, "linear": 4, "cubic": 16}


@dataclass(frozen=True)
class Resize(Operator):
    """Resizes (N, C, H, W) to ``size`` rows and columns.

    4 operations an output for linear interpolation, 16 for cubic, none for nearest (assumed). With n
    elements, size m and scale s along an axis (ONNX, operator Resize, "coordinate_transformation_mode"),
    output o stands at

    - ``half_pixel`` (o + 1/2) / s - 1/2
    - ``half_pixel_symmetric`` the same, moved by n/2 * (1 - m / (s*n))
    - ``pytorch_half_pixel`` the same as half_pixel, but 0 if m is 1
    - ``align_corners`` o * (n - 1) / (s*n - 1), or 0 if s*n is 1
    - ``asymmetric`` o / s

    Parameters
    ----------
    size : (int, int)
        Rows, columns of the output.
    mode : {"nearest", "linear", "cubic"}
    coordinates : str
    rounding : str
        Which element is the nearest; halves down or up, or always the lower or the higher one.
    cubic : float
        Coefficient a of Keys, IEEE TASSP 29(6), 1981, eq. 15.
    exclude_outside : bool
        Whether cubic weights beyond the map are left out, else the edge is repeated.
    scales : (float, float), optional
        Where they differ from output size / input size.
    """

    size: Pair
    mode: Literal["nearest", "linear", "cubic"] = "nearest"
    coordinates: Coordinates = "half_pixel"
    rounding: Rounding = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    scales: tuple[float, float] | None = None

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        need_integers(self.size, 2, "size")
        for name, accepted in (
            ("mode", tuple(_OPERATIONS)),
            ("coordinates", get_args(Coordinates)),
            ("rounding", get_args(Rounding)),
        ):
            if getattr(self, name) not in accepted:
                raise GraphError(f"{name} must be one of {', '.join(accepted)}, not {getattr(self, name)!r}")
        if self.scales is not None and not (len(self.scales) == 2 and min(self.scales) > 0):
            raise GraphError(f"scales must be two positive numbers, not {self.scales!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "resizing")
        return ((*shapes[0][:2], *self.size),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return _OPERATIONS[self.mode] * product(outputs[0])
