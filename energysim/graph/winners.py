"""k-winners-take-all: the k largest values of a location, a channel or a map stay, the others become 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Shape, need_count, product, text

__all__ = ["KWinners", "MapWinners", "contest"]

#: Scope -> which axes compete, batch first.
_SCOPES = ("location", "channel", "global")


def contest(scope: str, shape: Shape) -> tuple[int, int]:
    """Return how many contests a sample of (N, C, ...) has, and how many values compete in each.

    ``location``: the channels of a pixel; ``channel``: the pixels of a channel; ``global``: all values.
    """
    pixels = product(shape[2:])
    return {"location": (pixels, shape[1]), "channel": (shape[1], pixels), "global": (1, shape[1] * pixels)}[
        scope
    ]


@dataclass(frozen=True)
class KWinners(Operator):
    """The ``count`` largest values of each location (N, C, ...) along the channels; in place.

    Of equal values the one of the smaller channel wins, so that exactly ``count`` stay (some of them
    may be 0). Operations per value: a comparison and ceil(log2 k) steps of a heap (as for
    :class:`~energysim.graph.TopK`, assumed).

    Parameters
    ----------
    count : int
        k, at most the values that compete.
    """

    count: int

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        need_count(self.count, "count")

    @property
    def competing(self) -> str:
        """The scope, one of location, channel, global."""
        return "location"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 1 or len(shapes[0]) < 2:
            raise ShapeError("winners are taken of one tensor (N, C, ...)")
        size = contest(self.competing, shapes[0])[1]
        if self.count > size:
            raise ShapeError(f"{size} values of {text(shapes[0])} compete, there are no {self.count} winners")
        return (shapes[0],)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(inputs[0]) * (1 + (self.count - 1).bit_length())


@dataclass(frozen=True)
class MapWinners(KWinners):
    """The ``count`` largest values of each channel, or of the whole map.

    Who wins is known when the last value is: the tensor is read and written, not changed in place. Of
    equal values the first in the order of memory wins.

    Parameters
    ----------
    count : int
    scope : {"channel", "global"}
    """

    scope: str = "channel"

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scope not in _SCOPES[1:]:
            raise GraphError(f"winners of a map are those of a channel or global, not {self.scope!r}")

    @property
    def competing(self) -> str:
        return self.scope
