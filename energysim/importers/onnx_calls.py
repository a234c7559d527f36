"""One node of an ONNX graph as plain values: operator, version, attributes of the type that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energysim.errors import ModelError
from energysim.importers.onnx_values import Constant

__all__ = ["Call"]

#: Whole numbers that say yes or no. Programs disagree about what another number than 0 and 1 means.
_FLAGS = frozenset(
    (
        *("allowzero", "antialias", "ceil_mode", "count_include_pad", "exclude_outside", "fmod", "keepdims"),
        *("largest", "noop_with_empty_axes", "sorted", "training_mode", "transA", "transB"),
    )
)


@dataclass(frozen=True, eq=False)
class Call:
    """A node.

    Attributes
    ----------
    domain, operator : str
        The standard domain is the empty string.
    opset : int
        Version of the domain's operator set that the file asks for.
    name : str
        May be empty.
    inputs, outputs : tuple of str
        Names of values; an empty one is left out.
    attributes : mapping
        Integers, floats, strings, tuples of them, constants, and graphs as they are.
    """

    domain: str
    operator: str
    opset: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The operator with its domain, as messages name it."""
        return f"{self.domain}::{self.operator}" if self.domain else self.operator

    def _typed(self, name: str, default: Any, wanted: type | tuple[type, ...], words: str) -> Any:
        value = self.attributes.get(name, default)
        if value is None:
            raise ModelError(f"attribute {name!r} is missing")
        if not isinstance(value, wanted):
            raise ModelError(f"attribute {name!r} must be {words}, not {type(value).__name__}")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a whole number; raise ModelError if it is none, or missing without a default."""
        value = int(self._typed(name, default, int, "a whole number"))
        if name in _FLAGS and value not in (0, 1):
            raise ModelError(f"attribute {name!r} must be 0 or 1, not {value}")
        return value

    def real(self, name: str, default: float | None = None) -> float:
        """Return a number."""
        return float(self._typed(name, default, (float, int), "a number"))

    def string(self, name: str, default: str | None = None) -> str:
        """Return a string."""
        return str(self._typed(name, default, str, "a string"))

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        values: tuple[Any, ...] = self._typed(name, default, tuple, "a list of integers")
        if not all(isinstance(v, int) for v in values):
            raise ModelError(f"attribute {name!r} must be a list of integers")
        return values

    def constant(self, name: str) -> Constant:
        """Return a tensor."""
        found: Constant = self._typed(name, None, Constant, "a tensor")
        return found

    def axis(self, name: str, rank: int, default: int) -> int:
        """Return an axis of a tensor of this rank, counted from the front.

        Raises
        ------
        ModelError
            If there is no such axis.
        """
        axis = self.integer(name, default)
        if not -rank <= axis < rank:
            raise ModelError(f"axis {axis} of a tensor of {rank} dimensions")
        return axis % rank
