"""Words of weights and inputs that travel inwards."""

from __future__ import annotations

from collections.abc import Set
from math import prod

from energysim.mapping.hierarchy.loops import PlacedLoop
from energysim.mapping.hierarchy.walk import IMAGE_AXES, Walk

__all__ = ["operand_words"]


def operand_words(walk: Walk, tensor: str, inner: int, shared: Set[int], at: int) -> int:
    """Return the words of weights or inputs that all copies of a level get, one after the other.

    Parameters
    ----------
    walk : Walk
    tensor : {"weights", "inputs"}
    inner : int
        Place of the level, or of the multipliers.
    shared : set of int
        Places of axes along which a word for several copies counts once.
    at : int
        Place at which they are counted, and whose words they are.
    """
    return _weights(walk, inner, shared, at) if tensor == "weights" else _inputs(walk, inner, shared)


def _weights(walk: Walk, inner: int, shared: Set[int], at: int) -> int:
    """All weights, again for every image tile that is walked or spread."""
    kernel = walk.nest.kernel
    held = walk.weights(at)
    if inner == walk.tree.end:
        held = kernel.nonzeros if walk.skips else prod(kernel.shape)
    apart = (*walk.walked("weights", inner), *walk.spread(inner, shared))
    return held * walk.visits("NPQ", apart)


def _inputs(walk: Walk, inner: int, shared: Set[int]) -> int:
    """All planes x rows x columns of the tiles, again for every tile of M."""
    nest, nodes = walk.nest, walk.tree.hierarchy.nodes
    diagonal = {p for p in shared if getattr(nodes[p], "diagonal", False)}
    walked, sweep = walk.walked("inputs", inner), walk.sweep(inner)
    together = [loop for loop in walk.spread(inner) if loop.place in diagonal]
    apart = (*walked, *walk.spread(inner, diagonal))
    words = nest.batch * nest.groups * nest.channels
    words *= walk.visits("M", (*walked, *walk.spread(inner, shared)))
    for dims in IMAGE_AXES:
        words *= walk.image(dims, inner).moved(
            [loop for loop in apart if loop.dim in dims],
            [loop for loop in together if loop.dim in dims],
            sweep if sweep and sweep.dim in dims else None,
        )
    if inner == walk.tree.end and walk.skips:

        def merged(loop: PlacedLoop) -> bool:
            return loop.dim == "M" and loop.place in shared

        # Lanes that share an input fetch it if any of them has a weight for it. Where windows
        # share inputs as well, the smaller of the two counts stands.
        words = min(words, walk.images * walk.support.count(merged))
    return words
