"""``shift:block``: two convolutions in a row become 1x1 convolution, shift, 1x1 convolution.

Source: Wu et al., "Shift: A Zero FLOP, Zero Parameter Alternative to Spatial Convolutions", CVPR 2018
(arXiv 1711.08141), section 4, and the published code (alvinwan/shiftresnet-cifar): where a residual block
has two 3x3 convolutions to M channels, ShiftResNet has a 1x1 convolution to e*M, batch norm and ReLU, the
shift, and a 1x1 convolution to M with the stride of the block::

    weights (C + M)*e*M, multiply-adds C*e*M*H*W + e*M*M*P*Q

What stands between the two convolutions stays there, with e*M channels, and so does what follows: the code
puts the last ReLU before the addition, here it stays where the network has it (assumed). Neither layer of
the pair equals a dense one, so they have their own reference only (E3).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from energysim.errors import SchemeError
from energysim.graph import Activation, BatchNorm, Conv2d, Dropout, LayerGraph, TapShift
from energysim.graph.shapes import text as shape_text
from energysim.schemes.base import Left, Rewrite, RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.formulas import plane, with_bias
from energysim.schemes.layers import Layer, layers
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.shift_taps import channel_taps

__all__ = ["ShiftBlock", "parse_block"]

_LARGEST = 64


@dataclass(frozen=True)
class ShiftBlock(RewritingScheme):
    """Conv-shift-conv in the place of two convolutions.

    Parameters
    ----------
    expansion : int
        e, 1 to 64: channels between the two, over those of the second's output.

    Raises
    ------
    SchemeError
        For any other value.
    """

    expansion: int = 3

    def __post_init__(self) -> None:
        check_range("shift:block", "expansion", self.expansion, 1, _LARGEST)

    def __str__(self) -> str:
        return f"shift:block,expansion={self.expansion}"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; a layer is paired with the one behind it, from the input on."""
        known = {layer.name: layer for layer in layers(graph) if only is None or layer.name in only}
        blocks: dict[str, Block] = {}
        left: list[Left] = []
        for name, layer in known.items():
            if name in blocks:
                continue
            found = self.refuses(layer) or _grouped(layer) or self._pair(graph, layer, known)
            if isinstance(found, str):
                left.append(Left(name, found))
            else:
                blocks.update(found)
        return self._rewrite(graph, blocks, tuple(left))

    def block(self, layer: Layer) -> Block | str:
        """Refuse: it takes two layers."""
        raise SchemeError("a conv-shift-conv block takes the place of two layers")

    def _pair(self, graph: LayerGraph, first: Layer, known: dict[str, Layer]) -> dict[str, Block] | str:
        """Both blocks, or why the first layer has no partner."""
        name = _next(graph, first.name)
        if name is None:
            return "no convolution alone reads it"
        if name not in known:
            return f"{name}, which reads it, is not named by a rule"
        second = known[name]
        reason = self.refuses(second) or _grouped(second)
        if reason is not None:
            return f"{name}, which reads it: {reason}"
        middle, conv, before = self.expansion * second.weight_shape[0], second.conv, first.conv
        if middle < conv.window[0] * conv.window[1]:
            return f"{middle} channels are fewer than the {conv.window[0] * conv.window[1]} taps"
        shift = TapShift(channel_taps(middle, conv.window), conv.window, conv.padding, conv.dilation)
        stride = (before.stride[0] * conv.stride[0], before.stride[1] * conv.stride[1])
        expand = Conv2d(middle, (1, 1), bias=before.bias)
        project = Conv2d(second.weight_shape[0], (1, 1), stride, bias=conv.bias)
        wide = (first.input_shape[0], middle, *first.input_shape[2:])
        (made,) = project.infer(shift.infer((wide,)))
        if made != second.output_shape:
            return (
                f"with {name} it would make a {shape_text(made[2:])} map, "
                f"not {shape_text(second.output_shape[2:])}"
            )

        def expanded(x: Array, own: Arrays) -> Array:
            return with_bias(_mixed(np.asarray(x, np.float64), own["weight"]), own.get("bias"))

        def projected(x: Array, own: Arrays) -> Array:
            strided = replace(conv, stride=stride)
            planes = [plane(x[:, c], _one(tap, conv.window), strided) for c, tap in enumerate(shift.taps)]
            return with_bias(_mixed(np.stack(planes, axis=1), own["weight"]), own.get("bias"))

        one = Block(first, "E3", reference=expanded).end(expand, first.input)
        two = Block(second, "E3", reference=projected)
        two.end(project, two.part("shift", shift, second.input))
        return {first.name: one, second.name: two}

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the paper."""
        return (
            f"{self}: channels that the taps do not divide stay in place; activations stay where the network "
            "has them",
        )


def _grouped(layer: Layer) -> str | None:
    return f"has {layer.conv.groups} groups already" if layer.conv.groups > 1 else None


def _next(graph: LayerGraph, name: str) -> str | None:
    """The convolution that alone reads a layer, batch norm and activation between them aside."""
    while True:
        tensor = graph.node(name).outputs[0]
        readers = graph.consumers(tensor)
        if len(readers) != 1 or tensor in graph.outputs:
            return None
        (reader,) = readers
        if isinstance(reader.op, Conv2d):
            return reader.name
        if not isinstance(reader.op, Activation | BatchNorm | Dropout):
            return None
        name = reader.name


def _one(tap: int, window: tuple[int, int]) -> Array:
    """A window with a single 1."""
    found = np.zeros(window)
    found[divmod(tap, window[1])] = 1
    return found


def _mixed(x: Array, weight: Array) -> Array:
    """``y[o] = sum over c of w[o, c] * x[c]``."""
    return np.asarray(np.einsum("oc,nchw->nohw", weight[:, :, 0, 0].astype(np.float64), x))


def parse_block(text: str) -> ShiftBlock:
    """Return the scheme written behind ``shift:block,``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("shift:block", text, {"expansion": f"1..{_LARGEST}"})
    return ShiftBlock(integer("shift:block", "expansion", given["expansion"])) if given else ShiftBlock()
