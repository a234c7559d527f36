"""What an ONNX file knows of its values: element types, and constants that are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import ModelError
from energysim.graph.shapes import Shape, product, text

__all__ = ["ELEMENTS", "MOST_ELEMENTS", "SMALL", "Array", "Constant", "Element", "element_of"]

Array = NDArray[Any]

#: Constants up to this many elements are values to compute with; larger ones are only weights.
SMALL = 1 << 16
#: The most elements of a constant that the file makes (ConstantOfShape, Expand, Range, ...).
MOST_ELEMENTS = 1 << 30


@dataclass(frozen=True)
class Element:
    """A type of elements.

    Attributes
    ----------
    name : str
    bits : int
        As the file stores it.
    dtype : numpy type
        What its values are computed with here: types NumPy has not become the next that holds them.
    """

    name: str
    bits: int
    dtype: np.dtype[Any]

    @property
    def width(self) -> int | None:
        """Width to state of a tensor [bit]; None for float32 and float64: nobody has chosen one yet."""
        return None if self.name in ("float32", "float64") else self.bits


def _element(name: str, bits: int, dtype: str) -> Element:
    return Element(name, bits, np.dtype(dtype))


#: Number in ``onnx.proto`` (TensorProto.DataType) -> type. Strings and complex numbers are left out.
ELEMENTS: dict[int, Element] = {
    1: _element("float32", 32, "f4"),
    2: _element("uint8", 8, "u1"),
    3: _element("int8", 8, "i1"),
    4: _element("uint16", 16, "u2"),
    5: _element("int16", 16, "i2"),
    6: _element("int32", 32, "i4"),
    7: _element("int64", 64, "i8"),
    9: _element("bool", 8, "?"),
    10: _element("float16", 16, "f4"),
    11: _element("float64", 64, "f8"),
    12: _element("uint32", 32, "u4"),
    13: _element("uint64", 64, "u8"),
    16: _element("bfloat16", 16, "f4"),
    17: _element("float8e4m3fn", 8, "f4"),
    18: _element("float8e4m3fnuz", 8, "f4"),
    19: _element("float8e5m2", 8, "f4"),
    20: _element("float8e5m2fnuz", 8, "f4"),
    21: _element("uint4", 4, "u1"),
    22: _element("int4", 4, "i1"),
    23: _element("float4e2m1", 4, "f4"),
    24: _element("float8e8m0", 8, "f4"),
    25: _element("uint2", 2, "u1"),
    26: _element("int2", 2, "i1"),
}
_BY_DTYPE = {
    e.dtype: e for e in ELEMENTS.values() if e.name == ("bool" if e.dtype.kind == "b" else e.dtype.name)
}


def element_of(dtype: np.dtype[Any]) -> Element:
    """Return the type of an array's elements."""
    return _BY_DTYPE[np.dtype(dtype)]


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that the file holds, or that follows from what it holds.

    Attributes
    ----------
    shape : tuple of int
    element : Element
    load : function
        Returns the array; called when the values are needed, if ever.
    name : str
        The initialiser it is made of; empty if there is none, or more than one.
    bits : int or None
        Width that the file stores it in, where that is not its type's: dequantised weights.
    """

    shape: Shape
    element: Element
    load: Callable[[], Array] = field(repr=False)
    name: str = ""
    bits: int | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return product(self.shape)

    @property
    def small(self) -> bool:
        """Whether it is computed with while the file is imported."""
        return self.elements <= SMALL

    @cached_property
    def _values(self) -> Array:
        return self.load()

    def values(self) -> Array:
        """Return the array, kept if it is small."""
        if self.small:
            return self._values
        return self.load()

    def integers(self, what: str) -> tuple[int, ...]:
        """Return a small constant as whole numbers.

        Raises
        ------
        ModelError
            If it is none.
        """
        if not self.small or self.element.dtype.kind not in "iub" or len(self.shape) > 1:
            raise ModelError(f"{what} must be a list of integers, not {self.element.name} of {self.text}")
        return tuple(int(v) for v in self.values().reshape(-1))

    @property
    def text(self) -> str:
        """The shape in words."""
        return text(self.shape) or "one number"

    @staticmethod
    def of(array: Array, element: Element | None = None, name: str = "") -> Constant:
        """Return an array as a constant."""
        return Constant(array.shape, element or element_of(array.dtype), lambda: array, name)

    @property
    def width(self) -> int | None:
        """Width to state of it as a parameter [bit]; None where nobody has chosen one."""
        return self.element.width if self.bits is None else self.bits

    def derived(
        self, shape: Shape, change: Callable[[Array], Array], element: Element | None = None
    ) -> Constant:
        """Return a constant made of this one alone, computed when it is needed."""
        return Constant(shape, element or self.element, lambda: change(self.load()), self.name, self.bits)
