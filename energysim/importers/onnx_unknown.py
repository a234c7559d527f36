"""Operators of unknown cost: in a layer graph, where their shapes are known, and in messages."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.errors import ShapeError
from energysim.graph import Operator
from energysim.graph.shapes import Shape

__all__ = ["Unknown", "UnknownList", "unknown_form", "unknown_operator"]

#: Unknown operators that one message names.
_LISTED = 12


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


def unknown_operator(kind: str) -> str:
    """Return what is said of an operator nobody knows."""
    return f"nothing is known of the cost of operator {kind!r}; --allow-unknown leaves it out and says so"


def unknown_form(kind: str) -> str:
    """Return what is said of an operator in a form nobody knows."""
    return f"nothing is known of the cost of this form of {kind}"


class UnknownList:
    """The operators of unknown cost that a walk through a model meets.

    Parameters
    ----------
    label : str
        The file.

    Attributes
    ----------
    entries : list of (str, str, str)
        Node (with the file, and its operator behind it), operator, and what is to be said if it is the
        only one.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.entries: list[tuple[str, str, str]] = []

    def add(self, where: str, operator: str, reason: str) -> None:
        """Note one."""
        self.entries.append((where, operator, reason))

    def text(self) -> str:
        """Return one message for all of them."""
        if len(self.entries) == 1:
            where, _, reason = self.entries[0]
            return f"{where}: {reason}"
        nodes = [
            f"{where.removeprefix(f'{self.label}: ').rpartition(' (')[0]} ({operator})"
            for where, operator, _ in self.entries[:_LISTED]
        ]
        more = f" and {len(self.entries) - _LISTED} more" if len(self.entries) > _LISTED else ""
        return (
            f"{self.label}: nothing is known of the cost of {len(self.entries)} operators: "
            f"{', '.join(nodes)}{more}; --allow-unknown leaves out those whose shapes the file states, and "
            "says so"
        )
