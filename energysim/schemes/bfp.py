"""``bfp``: what layers read is block floating point: channels of a block at one pixel share an exponent.

Source: the activations of DSConv (Nascimento et al., ICCV 2019, arXiv 1901.01928, and the authors' code):
blocks of B channels share ``E = max floor(log2|x|)`` within what e bits hold; values are rounded to
multiples of ``2**(E - m + 2)``, m bits with the sign. A map of C channels and A pixels takes
``m*C*A + e*ceil(C/B)*A`` bits. With the weights of that paper it is ``dsconv:bits=4,block=64+bfp``.

A layer equals its own reference only (E3): how it rounds depends on the data. The tensor lies in memory in
this form where the layer alone reads it; where others do (a shortcut), it lies there as it is, and is
rounded on loading. Multipliers are those for m-bit operands; the sum of a block is shifted by its exponent,
which is not counted (assumed), and exponents are counted in DRAM only (assumed).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from energysim.graph import BlockFloat, Conv2d, ConvTranspose2d, LayerGraph, Linear
from energysim.graph.shapes import product
from energysim.schemes.base import Rewrite, RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.formulas import plane, with_bias
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.units import ceil_div

__all__ = ["BFP", "KIND", "parse", "rounded"]

_LARGEST = 1 << 16
_ACCEPTED = {"block": f"1..{_LARGEST}", "mantissa": "2..24", "exponent": "2..8"}


def rounded(x: Array, block: int, mantissa: int, exponent: int) -> Array:
    """Return an array (N, C, ...) in block floating point, block by block from the formula, float64."""
    found = np.array(x, np.float64)
    low, high = -(2 ** (exponent - 1)), 2 ** (exponent - 1) - 1
    for start in range(0, x.shape[1], block):
        part = found[:, start : start + block]
        peak = np.abs(part).max(axis=1, keepdims=True)
        shared = np.full(peak.shape, float(low))
        np.log2(peak, out=shared, where=peak > 0)
        step = 2.0 ** (np.clip(np.floor(shared), low, high) - mantissa + 2)
        part[...] = np.clip(np.rint(part / step), -(2 ** (mantissa - 1)), 2 ** (mantissa - 1) - 1) * step
    return found


@dataclass(frozen=True)
class BFP(RewritingScheme):
    """Block floating point activations.

    Parameters
    ----------
    channels : int
        B, 1 to 65536.
    mantissa : int
        m, with the sign, 2 to 24.
    exponent : int
        e, 2 to 8.

    Raises
    ------
    SchemeError
        For any other value.
    """

    channels: int = 64
    mantissa: int = 8
    exponent: int = 8

    changes: ClassVar[tuple[str, ...]] = ("activations",)

    def __post_init__(self) -> None:
        check_range("bfp", "block", self.channels, 1, _LARGEST)
        check_range("bfp", "mantissa", self.mantissa, 2, 24)
        check_range("bfp", "exponent", self.exponent, 2, 8)

    def __str__(self) -> str:
        return f"bfp:block={self.channels},mantissa={self.mantissa},exponent={self.exponent}"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`."""
        if isinstance(layer.op, ConvTranspose2d):
            return "transposed convolution"
        if isinstance(layer.op, Linear) and len(layer.input_shape) != 2:
            return "linear layer of a sequence"
        return "first convolution" if layer.first else None

    def block(self, layer: Layer) -> Block:
        """Return the layer behind the rounding of what it reads."""
        op = layer.op
        form = self.channels, self.mantissa, self.exponent

        def derive(dense: Arrays) -> dict[str, Array]:
            return dict(dense)

        def reference(x: Array, own: Arrays) -> Array:
            x, weight = rounded(x, *form), np.asarray(own["weight"], np.float64)
            if isinstance(op, Linear):
                return with_bias(x @ weight.T, own.get("bias"))
            assert isinstance(op, Conv2d)
            m, c = weight.shape[:2]
            each = m // op.groups
            made = [sum(plane(x[:, o // each * c + i], weight[o, i], op) for i in range(c)) for o in range(m)]
            return with_bias(np.stack(made, axis=1), own.get("bias"))

        block = Block(layer, "E3", derive=derive, reference=reference)
        x = block.part("rounded", BlockFloat(*form), layer.input)
        return block.end(op, x)

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; tensors that a layer alone reads lie in memory in this form."""
        found = super().apply(graph, only)
        facts = {}
        for name in found.changed:
            tensor = found.graph.tensors[f"{name}.rounded"]
            if _written_rounded(graph, graph.node(name).inputs[0]):
                values, pixels = product(tensor.shape[1:]), product(tensor.shape[2:])
                side = self.exponent * ceil_div(tensor.shape[1], self.channels) * pixels
                known = graph.tensors[graph.node(name).inputs[0]]
                facts[tensor.name] = replace(
                    tensor, bits=self.mantissa, packed=(values, side), density=known.density
                )
        return replace(found, graph=found.graph.with_tensors(facts)) if facts else found

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        return (
            f"{self}: shifts by exponents are not counted, exponents in DRAM only; two operations a value to "
            "round it; how exponents and rounded values are cut at the ends of their range",
        )


def _written_rounded(graph: LayerGraph, tensor: str) -> bool:
    """Whether what makes a tensor can write it in another form: nobody else reads it."""
    producer = graph.tensors[tensor].producer
    if producer is None or tensor in graph.outputs or len(graph.consumers(tensor)) != 1:
        return False
    node = graph.node(producer)
    if node.op.category == "view":
        return False
    return node.op.category != "epilogue" or _written_rounded(graph, node.inputs[0])


def parse(text: str) -> BFP:
    """Return the scheme written behind ``bfp:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("bfp", text, _ACCEPTED)
    numbers = {key: integer("bfp", key, value) for key, value in given.items()}
    return BFP(
        numbers.get("block", BFP.channels),
        numbers.get("mantissa", BFP.mantissa),
        numbers.get("exponent", BFP.exponent),
    )


KIND = SchemeKind(
    parse,
    "block floating point activations, as DSConv has them (Nascimento et al. 2019)",
    ("bfp:block=16,mantissa=8,exponent=8", "bfp:block=3,mantissa=5,exponent=4"),
)
