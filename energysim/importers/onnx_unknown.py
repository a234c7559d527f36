"""An operator of unknown cost in a layer graph: its shapes are known, what it does is not."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.errors import ShapeError
from energysim.graph import Operator
from energysim.graph.shapes import Shape

__all__ = ["Unknown"]


@dataclass(frozen=True)
class Unknown(Operator):
    """Stands for an operator nobody knows.

    Attributes
    ----------
    operator : str
        Its name, with its domain.
    samples : tuple of shape
        Of its outputs, without the batch.
    """

    operator: str
    samples: tuple[Shape, ...]

    @property
    def kind(self) -> str:
        """The operator's name in messages and reports."""
        return self.operator

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if not shapes:
            raise ShapeError(f"{self.operator} reads no computed tensor")
        return tuple((shapes[0][0], *sample) for sample in self.samples)
