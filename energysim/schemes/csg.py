"""``csg``: one generator for the network; each layer stores codes, and its kernel is made of slices.

Source: "Associative Convolutional Layers", AISTATS 2021 (arXiv 1906.04309), and the
authors' code. With a generator G of (s*s*9, c) and codes Z of (c, n), n = ceil(C/s) * ceil(M/s), the
columns of G Z are slices of s filters, s channels and 3x3 taps; side by side, and cut to size, they are the
kernel. Stored are n*c codes a layer, and s*s*9*c values once for the network; the expansion takes
n*c*s*s*9 multiply-adds. Multiply-adds of the layer itself stay what they are. ``generator=binary`` is the
code's fixed one of +0.5 and -0.5, a bit each.

First convolution, 1x1 and linear layers stay dense, as in the code; so do windows other than 3x3, which
would need a generator of their own, and layers with no more weights than codes (assumed).

Without weights trained in this form the generator is drawn at random (assumed), and a layer's codes are
the least-squares fit of its dense weights: that executes, but says nothing of the accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from zlib import crc32

import numpy as np

from energysim.errors import SchemeError
from energysim.extra import Extra, Generated, Table
from energysim.graph.shapes import product
from energysim.kernels import WeightShape, random_costs
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block, Written
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word
from energysim.units import ceil_div

__all__ = ["CSG", "KIND", "parse"]

_LARGEST = 256
_TAPS = (3, 3)
_GENERATORS = ("real", "binary")
_EXPAND = ("chip", "load")


@lru_cache(maxsize=4)
def _generator(rows: int, codes: int, binary: bool) -> Array:
    """Numbers between -0.5 and 0.5, or those two, the same for ever; shape (rows, codes)."""
    raw = random_costs((rows, codes, 1, 1), 0, crc32(b"csg")).reshape(rows, codes)
    found = np.where(raw >> np.uint64(63), 0.5, -0.5) if binary else raw / 2.0**64 - 0.5
    found.flags.writeable = False
    return found


@dataclass(frozen=True)
class CSG(RewritingScheme):
    """Generated slices.

    Parameters
    ----------
    side : int
        s, filters and channels of a slice, 1 to 256.
    codes : int
        c, codes of a slice: 1 to s*s*9 - 1.
    expand : {"chip", "load"}
        Whether the weights are made on chip with every pass (per tile), or once and written to DRAM.
    generator : {"real", "binary"}

    Raises
    ------
    SchemeError
        For any other value.
    """

    side: int = 12
    codes: int = 72
    expand: str = "chip"
    generator: str = "real"

    changes: ClassVar[tuple[str, ...]] = ("values",)

    def __post_init__(self) -> None:
        check_range("csg", "s", self.side, 1, _LARGEST)
        if type(self.codes) is not int or not 1 <= self.codes < self.slice_size:
            raise SchemeError(
                f"c of scheme 'csg' is below the {self.slice_size} weights of a slice of s={self.side} and "
                f"3x3 taps, and at least 1, not {self.codes!r}"
            )
        one_word("csg", "expand", self.expand, _EXPAND)
        one_word("csg", "generator", self.generator, _GENERATORS)

    def __str__(self) -> str:
        given = (("expand", self.expand, "chip"), ("generator", self.generator, "real"))
        more = "".join(f",{key}={value}" for key, value, default in given if value != default)
        return f"csg:s={self.side},c={self.codes}{more}"

    @property
    def slice_size(self) -> int:
        """Weights of a slice."""
        return self.side * self.side * product(_TAPS)

    def tables(self) -> tuple[Table, ...]:
        """Return the generator."""
        width = 1 if self.generator == "binary" else None
        name = f"csg_{self.generator}_{self.side}_{self.codes}"
        return (Table(name, self.slice_size * self.codes, width, at_load=self.expand == "load"),)

    def block(self, layer: Layer) -> Block | str:
        """Return the layer with the storage of its codes, or why it stays as it is."""
        shape = layer.weight_shape
        if shape[2:] != _TAPS:
            return f"{shape[2]}x{shape[3]} window: the generator makes 3x3"
        slices = ceil_div(shape[0], self.side) * ceil_div(shape[1], self.side)
        if slices * self.codes >= product(shape):
            return f"{slices * self.codes} codes for {product(shape)} weights"

        def derive(dense: Arrays) -> dict[str, Array]:
            made = np.empty(shape)
            for place, high, wide, rows in self._regions(shape):
                codes = _fit(rows, _columns(dense["weight"][place], high, wide))
                made[place] = _side_by_side(rows @ codes, made[place].shape, high, wide)
            return {**dense, "weight": made}

        def equivalent(own: Arrays) -> dict[str, Array]:
            return dict(own)

        def written(own: Arrays) -> tuple[Written, ...]:
            codes = [
                _fit(rows, _columns(own["weight"][place], high, wide))
                for place, high, wide, rows in self._regions(shape)
            ]
            return (Written("codes", np.concatenate(codes, axis=1), None),)

        block = Block(layer, "E2", derive=derive, equivalent=equivalent, written=written)
        values = slices * self.codes
        made = Generated(values, None, values * self.slice_size, on_chip=self.expand == "chip")
        return block.end(layer.conv, layer.input, extra=Extra(generated=made))

    def _regions(self, shape: WeightShape) -> Iterator[tuple[tuple[slice, slice], int, int, Array]]:
        """Yield where slices of one size are, their filters and channels, and the rows of G that make them.

        Whole slices, and those that the last filters, the last channels or both cut.
        """
        whole = _generator(self.slice_size, self.codes, self.generator == "binary")
        whole = whole.reshape(self.side, self.side, *_TAPS, self.codes)
        for rows, high in _runs(shape[0], self.side):
            for columns, wide in _runs(shape[1], self.side):
                yield (rows, columns), high, wide, whole[:high, :wide].reshape(-1, self.codes)

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        drawn = "" if self.generator == "binary" else "; without trained weights the generator is drawn"
        return (f"{self}: layers with no more weights than codes stay dense{drawn}",)


def _runs(length: int, side: int) -> Iterator[tuple[slice, int]]:
    """Yield where whole slices lie on an axis, and where the rest does, each with the length of a slice."""
    edge = length // side * side
    if edge:
        yield slice(0, edge), side
    if edge < length:
        yield slice(edge, length), length - edge


def _columns(region: Array, high: int, wide: int) -> Array:
    """Return the slices of a region of weights as columns."""
    m, c, r, s = region.shape
    parts = region.reshape(m // high, high, c // wide, wide, r, s)
    return parts.transpose(1, 3, 4, 5, 0, 2).reshape(high * wide * r * s, -1).astype(np.float64)


def _side_by_side(columns: Array, shape: tuple[int, ...], high: int, wide: int) -> Array:
    """Return a region of weights from its slices: :func:`_columns` in reverse."""
    m, c, r, s = shape
    parts = columns.reshape(high, wide, r, s, m // high, c // wide)
    return parts.transpose(4, 0, 5, 1, 2, 3).reshape(m, c, r, s)


def _fit(rows: Array, wanted: Array) -> Array:
    """Return the codes whose slices are nearest to the columns wanted (of several, the least ones)."""
    return np.asarray(np.linalg.lstsq(rows, wanted, rcond=None)[0])


def parse(text: str) -> CSG:
    """Return the scheme written behind ``csg:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    accepted = {
        "s": f"1..{_LARGEST}",
        "c": "1..9*s*s-1",
        "expand": "|".join(_EXPAND),
        "generator": "|".join(_GENERATORS),
    }
    given = read_parameters("csg", text, accepted)
    return CSG(
        integer("csg", "s", given["s"]) if "s" in given else CSG.side,
        integer("csg", "c", given["c"]) if "c" in given else CSG.codes,
        given.get("expand", CSG.expand),
        given.get("generator", CSG.generator),
    )


KIND = SchemeKind(
    parse,
    "slices of kernels made from codes by one generator (Associative Convolutional Layers, 2021)",
    ("csg:s=12,c=72", "csg:s=4,c=16,expand=load,generator=binary"),
)
