"""``ternary``: the weights of a layer become -sigma, 0 and sigma; products become additions.

Source: Grimaldi, Tenace, Calimera, compressive training, Future Internet 11(1):7, 2019: the layers that
matter least collapse to a constrained set of values. Which layers do is an input here: rules name them
(``layer4.*=ternary; fc=ternary``); without rules all do.

A layer with all its weights stores 2 bits for each; one that another scheme has thinned
(``unstructured:density=0.3+ternary``) a sign for each weight left, beside its storage format. Sigma has
32 bits. A product is an addition or a subtraction, in a dense layer also where the weight is 0; each
output is multiplied once by sigma, an elementary operation. The layer equals the dense one with weights
``sigma * t``, t of -1, 0 and 1.

Assumed: the set of values itself, and how dense weights collapse: in a dense layer those below 0.7 times
the mean magnitude become 0 and sigma is the mean magnitude of the others (Li, Zhang, Liu, "Ternary Weight
Networks", arXiv 1605.04711, 2016); in a thinned one all that are left keep their sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.extra import Extra
from energysim.graph import Conv2d, Linear
from energysim.graph.shapes import product
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block, Written
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import read_parameters

__all__ = ["KIND", "Ternary", "collapsed", "parse"]

#: Share of the mean magnitude below which a weight becomes 0 (Li, Zhang, Liu 2016, equation 6).
_THRESHOLD = 0.7


def collapsed(weights: Array, thinned: bool) -> tuple[Array, np.float32]:
    """Return the signs t (-1, 0, 1) and sigma of a layer.

    Parameters
    ----------
    weights : array
    thinned : bool
        Whether zeros are the weights that do not exist, and all others keep their sign.
    """
    size = np.abs(np.asarray(weights, np.float64))
    there = size > 0 if thinned else size > _THRESHOLD * size.mean()
    if not there.any():
        return np.zeros(size.shape), np.float32(0)
    return np.where(there, np.sign(weights), 0.0), np.float32(size[there].mean())


@dataclass(frozen=True)
class Ternary(RewritingScheme):
    """One magnitude a layer."""

    changes: ClassVar[tuple[str, ...]] = ("values",)

    def __str__(self) -> str:
        return "ternary"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`: every layer with weights is taken."""
        return None

    def block(self, layer: Layer) -> Block:
        """Return the layer with the storage of its signs."""
        op, thinned = layer.op, layer.has_kernel
        mask = None
        if isinstance(op, Conv2d | Linear) and thinned:
            mask = op.layout((layer.input_shape,)).mask()

        def derive(dense: Arrays) -> dict[str, Array]:
            weight = dense["weight"]
            if mask is not None:
                weight = np.where(mask.reshape(weight.shape), weight, 0)
            signs, sigma = collapsed(weight, thinned)
            if mask is not None:  # a weight that happens to be 0 is there all the same
                signs = np.where(mask.reshape(signs.shape) & (signs == 0), 1.0, signs)
            return {**dense, "weight": signs * sigma}

        def equivalent(own: Arrays) -> dict[str, Array]:
            return dict(own)

        def written(own: Arrays) -> tuple[Written, ...]:
            sigma = np.abs(own["weight"]).max().astype(np.float32)
            return (Written("sigma", np.array([sigma]).view(np.uint32), 32),)

        block = Block(layer, "E2", derive=derive, equivalent=equivalent, written=written)
        extra = Extra(
            weight_bits=1 if thinned else 2,
            table_bits=32,
            additions=True,
            other_ops=product(layer.output_shape),
        )
        return block.end(op, layer.input, extra=extra)

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        return (f"{self}: each collapsed layer has the values -sigma, 0 and sigma, one sigma a layer",)


def parse(text: str) -> Ternary:
    """Return the scheme written behind ``ternary:``.

    Raises
    ------
    SchemeError
        For any parameter: it has none, rules say which layers collapse.
    """
    read_parameters("ternary", text, {})
    return Ternary()


KIND = SchemeKind(parse, "weights of -sigma, 0, sigma: additions in the place of products", ("ternary",))
