"""``psc``: every 2D window keeps the same number of positions, drawn at random.

Source: Kundu, Prakash, Akrami, Beerel, Chugg, "pSConv: A Pre-defined Sparse Kernel Based
Convolution for Deep CNNs", Allerton 2019. The draw is this tool's own (raw Philox output, key =
seed and a number made from the layer's name), so a mask depends on nothing but seed, layer name and
shape.

The same layers stay dense as with ``psconv``: first convolution, 1x1, depthwise and linear layers,
and windows other than 3x3 unless ``windows=all`` (assumed) keeps ``kss`` positions of those too.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from energysim.kernels import Kernel, WeightShape, random_support
from energysim.schemes.base import StructuralScheme
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import check_range, check_windows, integer, read_parameters

__all__ = ["KIND", "PSC", "parse"]

_LARGEST = 1024


@dataclass(frozen=True)
class PSC(StructuralScheme):
    """Pre-defined sparse convolution with random supports.

    Parameters
    ----------
    kss : int
        Kernel support size: positions kept in each window, 1 to 9 (1024 for all windows); a
        window of no more positions stays dense.
    seed : int
        0 to 2**64 - 1.
    windows : {"3x3", "all"}
        Which windows become sparse.

    Raises
    ------
    SchemeError
        For any other value.
    """

    kss: int = 4
    seed: int = 0
    windows: str = "3x3"

    def __post_init__(self) -> None:
        check_windows("psc", self.windows)
        check_range("psc", "kss", self.kss, 1, 9 if self.windows == "3x3" else _LARGEST)
        check_range("psc", "seed", self.seed, 0, 2**64 - 1)

    def __str__(self) -> str:
        name = f"psc:kss={self.kss},seed={self.seed}"
        return name if self.windows == "3x3" else f"{name},windows={self.windows}"

    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return a random kernel, or why the layer stays dense."""
        rows, cols = shape[2:]
        if (rows, cols) != (3, 3) and self.windows == "3x3":
            return f"{rows}x{cols} window"
        if rows * cols <= self.kss:
            return f"{rows}x{cols} window has no more than {self.kss} positions"
        return random_support(shape, self.kss, self.seed, crc32(node.encode()))

    def assumptions(self) -> tuple[str, ...]:
        """Return which parts of the scheme rest on no source."""
        if self.windows == "3x3":
            return ()
        return (f"{self}: supports of windows other than 3x3 are not published",)


def parse(text: str) -> PSC:
    """Return the scheme written behind ``psc:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters(
        "psc", text, {"kss": "1..9", "seed": "0..18446744073709551615", "windows": "3x3|all"}
    )
    numbers = {key: integer("psc", key, value) for key, value in given.items() if key != "windows"}
    return PSC(numbers.get("kss", PSC.kss), numbers.get("seed", PSC.seed), given.get("windows", PSC.windows))


KIND = SchemeKind(parse, "the same number of random positions in every 2D window", ("psc:kss=4", "psc:kss=2"))
