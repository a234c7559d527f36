"""``psc``: every 2D window keeps the same number of positions, drawn at random.

Source: Kundu, Prakash, Akrami, Beerel, Chugg, "pSConv: A Pre-defined Sparse Kernel Based
Convolution for Deep CNNs", Allerton 2019. The draw is this tool's own (raw Philox output, key =
seed and a number made from the layer's name), so a mask depends on nothing but seed, layer name and
shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from energysim.kernels import Kernel, WeightShape, random_support
from energysim.schemes.base import StructuralScheme
from energysim.schemes.parameters import integer, read_parameters

__all__ = ["PSC", "parse"]


@dataclass(frozen=True)
class PSC(StructuralScheme):
    """Pre-defined sparse convolution with random supports.

    Parameters
    ----------
    kss : int
        Positions kept in each window; a window of no more positions stays dense.
    seed : int
        Below 2**64.
    """

    kss: int = 4
    seed: int = 0

    def __str__(self) -> str:
        return f"psc:kss={self.kss},seed={self.seed}"

    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return a random kernel, or why the layer stays dense."""
        if shape[2] * shape[3] <= self.kss:
            return f"{shape[2]}x{shape[3]} window has no more than {self.kss} positions"
        return random_support(shape, self.kss, self.seed, crc32(node.encode()))


def parse(text: str) -> PSC:
    """Return the scheme written behind ``psc:``."""
    given = read_parameters("psc", text, {"kss": "1..24", "seed": "0.."})
    kss = integer("psc", "kss", given.get("kss", "4"), 1, 24)
    return PSC(kss, integer("psc", "seed", given.get("seed", "0"), 0, 2**64 - 1))
