"""What the tiles of a mapping take in each level."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, TemporalLevel
from energysim.kernels import MaskKernel
from energysim.mapping.hierarchy.held import ALIKE, Held
from energysim.mapping.hierarchy.walk import IMAGE_AXES, Walk
from energysim.units import ceil_fraction

__all__ = ["Need", "Widths", "needs", "tile_elements"]

Widths = tuple[Fraction | int, int, int]


@dataclass(frozen=True)
class Need:
    """Room that one tensor's tile takes in one level [bit], copies for double buffering included."""

    level: str
    tensor: str
    bits: int


def needs(walk: Walk, bits: Widths, held: Held = ALIKE) -> tuple[Need, ...]:
    """Return the room each tensor takes in each level that holds it, but the outermost.

    Parameters
    ----------
    walk : Walk
    bits : (int or Fraction, int, int)
        Of a weight (with its share of indices), an input and an accumulator as they are held.
    held : Held
        What levels hold in another way.
    """
    found = []
    for place, node in enumerate(walk.tree.hierarchy.nodes):
        if place == 0 or not isinstance(node, TemporalLevel):
            continue
        copies = 2 if node.double_buffered or walk.rules.double_buffering == "yes" else 1
        for tensor, width in zip(TENSORS, bits, strict=True):
            if place in walk.tree.keepers[tensor]:
                found.append(Need(node.name, tensor, copies * _bits(walk, tensor, place, width, held)))
    return tuple(found)


def _bits(walk: Walk, tensor: str, place: int, width: Fraction | int, held: Held) -> int:
    """What the fullest tile of a tensor takes in a level."""
    if tensor == "weights" and place in held.weights:
        stored, width = held.weights[place]
        return ceil_fraction(width * tile_elements(walk, tensor, place, stored))
    elements = tile_elements(walk, tensor, place)
    if tensor == "inputs" and place in held.inputs:
        planes = prod(walk.tree.extent(place, dim) for dim in "NGC")
        return int(held.inputs[place](np.array([elements]), np.array([planes]))[0])
    return ceil_fraction(Fraction(width) * elements)


def tile_elements(walk: Walk, tensor: str, place: int, stored: bool | None = None) -> int:
    """Return the elements of the fullest tile of a tensor at a place.

    ``stored`` says whether weights that do not exist are left out there; by default as the walk does.
    """
    size = {dim: walk.tree.extent(place, dim) for dim in "NGMCPQRS"}
    if tensor == "outputs":
        return prod(size[dim] for dim in "NGMPQ")
    if tensor == "weights":
        only = walk.stored_only if stored is None else stored
        return _weights(walk, size) if only else prod(size[dim] for dim in "GMCRS")
    outside = walk.tree.outside(place)
    planes = size["N"] * size["G"] * size["C"]
    return planes * prod(walk.image(dims, place).largest(outside) for dims in IMAGE_AXES)


def _weights(walk: Walk, size: dict[str, int]) -> int:
    """Weights of the fullest tile at any filter and channel; blocks of taps lie on their grid.

    Whole groups are counted as one block of filters; of several groups with some filters each, the
    fullest stands for all.
    """
    kernel = walk.nest.kernel
    whole = size["M"] == walk.nest.filters
    filters, groups = (size["G"] * size["M"], 1) if whole else (size["M"], size["G"])
    rows, cols = kernel.shape[2:]
    blocks = [kernel]
    if not kernel.is_dense and (size["R"], size["S"]) != (rows, cols):
        mask = kernel.mask()
        blocks = [
            MaskKernel(np.ascontiguousarray(mask[:, :, r : r + size["R"], s : s + size["S"]]))
            for r in range(0, rows, size["R"])
            for s in range(0, cols, size["S"])
        ]
    if kernel.is_dense:
        return groups * filters * size["C"] * size["R"] * size["S"]
    m, c = np.array([filters]), np.array([size["C"]])
    return groups * max(int(block.nonzeros_in_tile(m, c)[0]) for block in blocks)
