"""What an explicit mapping moves: the single-mapping evaluator, exact and independent of any search.

Per tensor, words go from each level that holds it to the next one inside that does, and last to
the multipliers.

* **Fills** follow the previous-tile rule of Timeloop (Parashar et al., ISPASS 2019): of the loops
  outside a tile, those inside the innermost that the tensor depends on are free; loops outside it
  that the tensor does not depend on repeat its traffic. Of an input tile, what the tile before
  held stays where that innermost loop runs over P, Q, R or S (rule ``overlap``), for each step
  of that loop but its first.
* A multiplier fetches both operands for every product and adds every product to a sum: it holds
  no operand.
* **Reads** of a level are the fills of the next, counted once for all copies that share an axis.
* An output tile that is replaced goes out, as an **update** of the level outside; sums of copies
  that share an axis are added on their way. A level reads what it adds to, but not what is zero.
  Partial sums come back as fills (:mod:`energysim.mapping.hierarchy.sums`).
* An edge that does not divide gives smaller tiles and idle copies; nothing is rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass

from energysim.hardware.hierarchy import TENSORS
from energysim.mapping.hierarchy.operands import operand_words
from energysim.mapping.hierarchy.sums import Sums
from energysim.mapping.hierarchy.walk import Walk

__all__ = ["Counts", "Crossing", "Traffic", "count"]


@dataclass(frozen=True)
class Traffic:
    """What one level does for one tensor, all its copies together, in elements.

    Attributes
    ----------
    level, tensor : str
    reads : int
        For the level inside; of outputs: partial sums that are added to, here or inside.
    fills : int
        Brought in from the level outside; of outputs: partial sums that come back.
    updates : int
        Of outputs: sums that arrive from inside.
    drains : int
        Of outputs: reads that send a tile out.
    finished : int
        Of the updates of the outermost level, and of the drains of others, those of complete sums.
    """

    level: str
    tensor: str
    reads: int = 0
    fills: int = 0
    updates: int = 0
    drains: int = 0
    finished: int = 0


@dataclass(frozen=True)
class Crossing:
    """Words of one tensor at the inner side of one axis, in elements."""

    axis: str
    tensor: str
    elements: int


@dataclass(frozen=True)
class Counts:
    """Everything one mapping does, in whole numbers.

    Attributes
    ----------
    traffic : tuple of Traffic
        Levels outermost first; only tensors that a level holds.
    crossings : tuple of Crossing
        Axes outermost first.
    products : int
        Multiplications.
    steps : int
        Cycles of the multipliers if nothing makes them wait.
    lanes_used, lanes : int
        Multipliers with work, and all.
    """

    traffic: tuple[Traffic, ...]
    crossings: tuple[Crossing, ...]
    products: int
    steps: int
    lanes_used: int
    lanes: int

    def of(self, level: str, tensor: str) -> Traffic:
        """The traffic of a level and tensor; all zero where it is not held."""
        for found in self.traffic:
            if (found.level, found.tensor) == (level, tensor):
                return found
        return Traffic(level, tensor)


def count(walk: Walk) -> Counts:
    """Return the counts of a checked mapping."""
    traffic: list[tuple[int, int, Traffic]] = []
    crossings: list[tuple[int, int, Crossing]] = []
    nodes = walk.tree.hierarchy.nodes
    for number, tensor in enumerate(TENSORS):
        moved, crossed = _outputs(walk) if tensor == "outputs" else _operand(walk, tensor)
        traffic += [(place, number, found) for place, found in moved.items()]
        crossings += [
            (place, number, Crossing(nodes[place].name, tensor, words)) for place, words in crossed.items()
        ]
    return Counts(
        tuple(found for _, _, found in sorted(traffic, key=lambda t: t[:2])),
        tuple(found for _, _, found in sorted(crossings, key=lambda t: t[:2])),
        walk.nest.macs if walk.skips else walk.nest.dense_macs,
        walk.steps(),
        walk.tree.used(walk.tree.end),
        walk.tree.hierarchy.lanes,
    )


def _operand(walk: Walk, tensor: str) -> tuple[dict[int, Traffic], dict[int, int]]:
    """Traffic by level and words by axis of weights or inputs."""
    keepers, nodes = walk.tree.keepers[tensor], walk.tree.hierarchy.nodes
    found: dict[int, Traffic] = {}
    crossed: dict[int, int] = {}
    fills = 0
    for outer, inner in zip(keepers, (*keepers[1:], walk.tree.end), strict=True):
        shared = walk.sharing(tensor, outer, inner)
        reads = operand_words(walk, tensor, inner, shared, outer)
        found[outer] = Traffic(nodes[outer].name, tensor, reads, fills)
        fills = operand_words(walk, tensor, inner, frozenset(), inner) if inner != walk.tree.end else 0
        for place in walk.axes(outer, inner):
            crossed[place] = operand_words(walk, tensor, inner, {p for p in shared if p > place}, place)
    return found, crossed


def _outputs(walk: Walk) -> tuple[dict[int, Traffic], dict[int, int]]:
    """Traffic by level and words by axis of outputs."""
    sums = Sums(walk)
    keepers, nodes, end = sums.keepers, walk.tree.hierarchy.nodes, walk.tree.end
    elided, drained = walk.rules.first_read == "elided", walk.rules.drain == "counted"
    elements = walk.nest.output_elements
    found: dict[int, Traffic] = {}
    crossed: dict[int, int] = {}
    for level, outer in enumerate(keepers):
        inner = (*keepers, end)[level + 1]
        shared = walk.sharing("outputs", outer, inner)
        updates = sums.arriving(inner, shared)
        reads = updates - (sums.zero(level, touched=inner == end) if elided else 0)
        fills = sums.returned(level, frozenset()) if level else 0
        drains = sums.held(level) if level and drained else 0
        finished = min(drains if level else updates, elements)
        found[outer] = Traffic(nodes[outer].name, "outputs", reads, fills, updates, drains, finished)
        for place in walk.axes(outer, inner):
            inside = {p for p in shared if p > place}
            back = sums.returned(level + 1, inside) if inner != end else 0
            crossed[place] = sums.arriving(inner, inside) + back
    return found, crossed
