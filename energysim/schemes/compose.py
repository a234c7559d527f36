"""Schemes put together: ``shift+nm:2:4`` first replaces layers, then thins what they have become.

Each part changes another aspect of a layer, and they stand in this order: what replaces layers
(``graph``), what decides which weights exist (``support``), how they are stored (``values``), which
activations are kept (``activations``). A part sees the graph that the parts before it made.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from energysim.errors import SchemeError
from energysim.graph import LayerGraph
from energysim.hardware.quantities import show
from energysim.schemes.base import ASPECTS, Left, Rewrite, Scheme
from energysim.schemes.merge import merged

__all__ = ["Composed"]


@dataclass(frozen=True)
class Composed(Scheme):
    """Several schemes on the same layers, one after the other.

    Parameters
    ----------
    parts : tuple of Scheme
        At least two.

    Raises
    ------
    SchemeError
        If two of them change the same aspect, or they stand in another order.
    """

    parts: tuple[Scheme, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise SchemeError("schemes are put together from at least two: shift+nm:2:4")
        order = list(ASPECTS)
        claimed: dict[str, Scheme] = {}
        for part in self.parts:
            if not part.changes:
                raise SchemeError(f"{show(str(part))} cannot be put together with others")
            for aspect in part.changes:
                other = claimed.setdefault(aspect, part)
                if other is not part:
                    raise SchemeError(
                        f"{show(str(self))} contradicts itself: {show(str(other))} and {show(str(part))} "
                        f"each {_each(ASPECTS[aspect])}"
                    )
        places = [[order.index(aspect) for aspect in part.changes] for part in self.parts]
        for first, second, left, right in zip(places, places[1:], self.parts, self.parts[1:], strict=False):
            if max(first) > min(second):
                raise SchemeError(
                    f"{show(str(self))} stands in the wrong order: {show(str(right))} {_what(right)} and "
                    f"goes before {show(str(left))}, which {_what(left)}"
                )

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))

    @property
    def aspects(self) -> tuple[str, ...]:
        """All aspects that its parts change."""
        return tuple(aspect for part in self.parts for aspect in part.changes)

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; a layer is listed as left by each part that left it."""
        first, *others = self.parts
        found = first.apply(graph, only)
        left = [Left(e.node, f"{_name(first)}: {e.reason}") for e in found.left]
        for part in others:
            inside = None
            if only is not None:
                inside = [name for name, origin in found.trace.items() if origin.node in only]
            later = part.apply(found.graph, inside)
            left += [Left(found.trace[e.node].node, f"{_name(part)}: {e.reason}") for e in later.left]
            found = merged(found, later)
        return replace(found, left=_by_layer(graph, left))


def _by_layer(graph: LayerGraph, left: list[Left]) -> tuple[Left, ...]:
    """One entry a layer, in network order, with all that was said of it."""
    reasons: dict[str, list[str]] = {}
    for entry in left:
        known = reasons.setdefault(entry.node, [])
        if entry.reason not in known:
            known.append(entry.reason)
    return tuple(Left(n.name, "; ".join(reasons[n.name])) for n in graph.nodes if n.name in reasons)


def _name(scheme: Scheme) -> str:
    return str(scheme).partition(":")[0]


def _what(scheme: Scheme) -> str:
    return " and ".join(ASPECTS[aspect] for aspect in scheme.changes)


def _each(words: str) -> str:
    """``decides which`` -> ``decide which``, for two of them."""
    verb, _, rest = words.partition(" ")
    return f"{verb.removesuffix('s')} {rest}"
