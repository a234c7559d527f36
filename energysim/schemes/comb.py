"""``comb``: a convolution computes every other output position; the others are copies of the input.

Source: Li, Zhou, Huo, Kung, "Comb Convolution for Efficient Convolutional Architecture", arXiv 1911.00387,
2019: uniform mappings are mixed into a convolution, which leaves out about half of the spatial connections.
The pattern of positions and what happens where filters and channels differ are not readable there (assumed:
see :class:`energysim.graph.CombConv2d`). Of P*Q positions ceil(P*Q/2) are computed in phase 0::

    multiply-adds C*M*R*S*ceil(P*Q/2), copies M*floor(P*Q/2); all weights stay

The phase changes from layer to layer and needs no storage. Copies are counted as gathered reads of the
buffer. Weights, inputs and outputs cross DRAM as before. No layer of the same shape computes this, so it
has its own reference only (E3): a dense convolution and the input, chosen by a mask.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import numpy as np

from energysim.graph import CombConv2d, Conv2d, LayerGraph
from energysim.schemes.base import Left, Rewrite, RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.formulas import plane, with_bias
from energysim.schemes.layers import Layer, layers, usual_refusal
from energysim.schemes.parameters import read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["KIND", "Comb", "parse"]

_WORDS = {"pattern": ("checker", "column"), "phase": ("alternate", "0", "1"), "layers": ("inner", "all")}


@dataclass(frozen=True)
class Comb(RewritingScheme):
    """Every other output computed.

    Parameters
    ----------
    pattern : {"checker", "column"}
    phase : {"alternate", "0", "1"}
        ``alternate``: 0 and 1 in turn, from the first layer that is changed on.
    layers : {"inner", "all"}
        ``inner``: windows larger than 1x1 behind the first convolution that mix channels; ``all``: every
        convolution.

    Raises
    ------
    SchemeError
        For any other value.
    """

    pattern: str = "checker"
    phase: str = "alternate"
    layers: str = "inner"

    changes: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for key, words in _WORDS.items():
            one_word("comb", key, getattr(self, key), words)

    def __str__(self) -> str:
        given = [f"{key}={getattr(self, key)}" for key, words in _WORDS.items()]
        changed = [text for text, words in zip(given, _WORDS.values(), strict=True) if words[0] not in text]
        return f"comb:{','.join(changed)}" if changed else "comb"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`."""
        if self.layers == "inner" or not isinstance(layer.op, Conv2d):
            return usual_refusal(layer)
        return "has a sparse kernel already" if layer.has_kernel else None

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; the phase of a layer does not depend on ``only``."""
        blocks: dict[str, Block] = {}
        left: list[Left] = []
        number = 0
        for layer in layers(graph):
            phase = number % 2 if self.phase == "alternate" else int(self.phase)
            found = self.refuses(layer) or self._comb(layer, phase)
            number += not isinstance(found, str)
            if only is not None and layer.name not in only:
                continue
            if isinstance(found, str):
                left.append(Left(layer.name, found))
            else:
                blocks[layer.name] = found
        return self._rewrite(graph, blocks, tuple(left))

    def block(self, layer: Layer) -> Block | str:
        """Return the comb of a layer alone."""
        return self._comb(layer, int(self.phase == "1"))

    def _comb(self, layer: Layer, phase: int) -> Block | str:
        pattern = cast(Literal["checker", "column"], self.pattern)
        op = CombConv2d(layer.conv, pattern, phase)
        rows, cols = layer.output_shape[2:]
        copies = op.copied(rows, cols)
        if copies in (0, rows * cols):
            return f"a {rows}x{cols} map has no two positions side by side"

        def derive(dense: Arrays) -> dict[str, Array]:
            return dict(dense)

        def reference(x: Array, own: Arrays) -> Array:
            return _select(x, op, own)

        return Block(layer, "E3", derive=derive, reference=reference).end(op, layer.input)

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not readable in the paper."""
        return (
            f"{self}: which positions are copied, that phases alternate, copies where filters and channels "
            "differ (o mod C) or a stride skips inputs, and that copies pass the normalisation behind",
        )


def _select(x: Array, op: CombConv2d, own: Arrays) -> Array:
    """``y[o, i, j] = where(p(i, j) = 0, conv(x, w)[o, i, j], u_o[i, j])``, all positions of both made."""
    conv, weight = op.convolution, own["weight"]
    m, c, r, s = weight.shape
    each, unit = m // conv.groups, np.zeros((r, s))
    unit[r // 2, s // 2] = 1
    made = [sum(plane(x[:, o // each * c + k], weight[o, k], conv) for k in range(c)) for o in range(m)]
    dense = with_bias(np.stack(made, axis=1), own.get("bias"))
    copies = np.stack([plane(x[:, o % x.shape[1]], unit, conv) for o in range(m)], axis=1)
    pattern = [
        [(j + op.phase + (i if op.pattern == "checker" else 0)) % 2 for j in range(dense.shape[3])]
        for i in range(dense.shape[2])
    ]
    return np.where(np.array(pattern) == 0, dense, copies)


def parse(text: str) -> Comb:
    """Return the scheme written behind ``comb:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    return Comb(**read_parameters("comb", text, {key: "|".join(words) for key, words in _WORDS.items()}))


KIND = SchemeKind(
    parse,
    "every other output position computed, the others copied from the input (Li et al. 2019)",
    ("comb", "comb:pattern=column,layers=all"),
)
