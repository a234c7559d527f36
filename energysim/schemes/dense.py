"""The scheme that changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from energysim.graph import LayerGraph
from energysim.schemes.base import Origin, Rewrite, Scheme
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import read_parameters

__all__ = ["KIND", "Dense", "parse"]


@dataclass(frozen=True)
class Dense(Scheme):
    """All weights exist."""

    def __str__(self) -> str:
        return "dense"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`."""
        return Rewrite(graph, {n.name: Origin(n.name) for n in graph.nodes})


def parse(text: str) -> Dense:
    """Return the scheme; it takes no parameters."""
    read_parameters("dense", text, {})
    return Dense()


KIND = SchemeKind(parse, "all weights exist")
