"""``dwseparable`` and ``dwdilated``: one window per channel, then a 1x1 convolution that mixes channels.

``dwseparable``: Howard et al., "MobileNets", arXiv 1704.04861, 2017, section 3.1. (R*S*C + C*M)*P*Q
multiply-adds, R*S*C + C*M weights; stride, padding and dilation are those of the depthwise part.

``dwdilated``: depthwise convolutions of several dilation rates side by side in the place of one, "Depthwise
dilated separable convolution" on MobileNetV2, J. Theor. Appl. Inf. Tech. 98(15), 2020: no parameters and
no operations more. How channels are given to rates is not readable there; here they are cut into one run
of channels per rate, as equal as can be, the first ones longer (assumed). Padding grows so that the map
keeps its size. A layer that is depthwise already gets the rates and no 1x1 convolution. A wide rate on a
small map reads mostly padding: its multiply-adds are counted all the same.

Without anything between the two parts a separable convolution equals a dense one with the weights
``w[o, c, r, s] = point[o, c] * depthwise[c, r, s]`` (E1). With a rectifier between them, or rates (a dense
layer of that window has no taps there), it equals its own reference only (E3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from energysim.errors import SchemeError
from energysim.graph import Activation, Concat, Conv2d, Split
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.formulas import plane, rectified, with_bias
from energysim.schemes.layers import Layer, usual_refusal
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["DILATED", "SEPARABLE", "Dilated", "Separable", "parse_dilated", "parse_separable", "runs"]

_BETWEEN = ("none", "relu", "relu6")
_LARGEST = 64


@dataclass(frozen=True)
class Separable(RewritingScheme):
    """Depthwise and 1x1 convolution.

    Parameters
    ----------
    between : {"none", "relu", "relu6"}
        What stands between the two.

    Raises
    ------
    SchemeError
        For any other value.
    """

    between: str = "none"

    def __post_init__(self) -> None:
        one_word("dwseparable", "between", self.between, _BETWEEN)

    def __str__(self) -> str:
        return "dwseparable" if self.between == "none" else f"dwseparable:between={self.between}"

    def block(self, layer: Layer) -> Block | str:
        """Return both convolutions."""
        conv, (m, c, _, _) = layer.conv, layer.weight_shape
        groups = conv.groups
        depth = _depthwise(conv, layer.channels, 1, False)
        channel = np.arange(m)[:, None] // (m // groups) * c + np.arange(c)

        def equivalent(own: Arrays) -> dict[str, Array]:
            windows, point = own["depthwise.weight"][:, 0], own["weight"][:, :, 0, 0]
            made = {"weight": point[:, :, None, None] * windows[channel]}
            return {**made, "bias": own["bias"]} if "bias" in own else made

        def reference(x: Array, own: Arrays) -> Array:
            return _pointwise(conv, _side_by_side([depth], ["depthwise"], x, own), own, self.between)

        if self.between == "none":
            block = Block(layer, "E1", equivalent=equivalent)
        else:
            block = Block(layer, "E3", reference=reference)
        x = block.part("depthwise", depth, layer.input)
        if self.between != "none":
            x = block.part("between", Activation(self.between), x)
        return block.end(Conv2d(m, (1, 1), groups=groups, bias=conv.bias), x)


@dataclass(frozen=True)
class Dilated(RewritingScheme):
    """Depthwise convolutions of several dilation rates, and a 1x1 convolution.

    Parameters
    ----------
    rates : tuple of int
        One to 16 rates, 1 to 64 each; they multiply the dilation that a layer has.
    between : {"none", "relu", "relu6"}
        What stands before the 1x1 convolution.

    Raises
    ------
    SchemeError
        For any other value.
    """

    rates: tuple[int, ...] = (1, 2)
    between: str = "none"

    def __post_init__(self) -> None:
        if not 1 <= len(self.rates) <= 16:
            raise SchemeError(f"scheme 'dwdilated' takes 1 to 16 rates, not {len(self.rates)}")
        for rate in self.rates:
            check_range("dwdilated", "rates", rate, 1, _LARGEST)
        one_word("dwdilated", "between", self.between, _BETWEEN)

    def __str__(self) -> str:
        between = "" if self.between == "none" else f",between={self.between}"
        return f"dwdilated:rates={'/'.join(map(str, self.rates))}{between}"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`: depthwise layers are taken."""
        reason = usual_refusal(layer)
        return None if reason == "depthwise" else reason

    def block(self, layer: Layer) -> Block | str:
        """Return the convolutions, or why the layer stays as it is."""
        conv, (m, c, _, _) = layer.conv, layer.weight_shape
        mixes = not (c == 1 and conv.groups > 1)
        if not mixes and m != layer.channels:
            return f"depthwise with {m} filters for {layer.channels} channels"
        if not mixes and set(self.rates) == {1}:
            return "all rates are 1"
        if layer.channels < len(self.rates):
            return f"{layer.channels} channels are fewer than the {len(self.rates)} rates"
        lengths = runs(layer.channels, len(self.rates))
        ops = [
            _depthwise(conv, length, rate, conv.bias and not mixes)
            for length, rate in zip(lengths, self.rates, strict=True)
        ]
        names = [f"rate{number}" for number in range(1, len(ops) + 1)]
        if len(ops) == 1:
            names = ["depthwise" if mixes else ""]

        def reference(x: Array, own: Arrays) -> Array:
            made = _side_by_side(ops, names, x, own)
            return _pointwise(conv, made, own, self.between) if mixes else made

        block = Block(layer, "E3", reference=reference)
        if len(ops) == 1 and not mixes:
            return block.end(ops[0], layer.input)
        if len(ops) == 1:
            x = block.part(names[0], ops[0], layer.input)
        else:
            first = block.part("split", Split(lengths), layer.input, outputs=len(ops))
            pieces = [first, *(f"{first}:{number}" for number in range(1, len(ops)))]
            made = [block.part(*each) for each in zip(names, ops, pieces, strict=True)]
            if not mixes:
                return block.end(Concat(), *made)
            x = block.part("join", Concat(), *made)
        if self.between != "none":
            x = block.part("between", Activation(self.between), x)
        return block.end(Conv2d(m, (1, 1), groups=conv.groups, bias=conv.bias), x)

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not readable in the paper."""
        if len(self.rates) == 1:
            return ()
        return (f"{self}: which channels get which rate is not published in a readable place",)


def runs(channels: int, count: int) -> tuple[int, ...]:
    """Return lengths of so many runs of channels, as equal as can be, the first ones longer."""
    each, more = divmod(channels, count)
    return tuple(each + (number < more) for number in range(count))


def _depthwise(conv: Conv2d, channels: int, rate: int, bias: bool) -> Conv2d:
    """A window per channel at a multiple of the layer's dilation, padded so that the map keeps its size."""
    top, bottom, left, right = conv.padding
    more = [(w - 1) * d * (rate - 1) for w, d in zip(conv.window, conv.dilation, strict=True)]
    padding = (
        top + more[0] // 2,
        bottom + more[0] - more[0] // 2,
        left + more[1] // 2,
        right + more[1] - more[1] // 2,
    )
    dilation = (conv.dilation[0] * rate, conv.dilation[1] * rate)
    return replace(
        conv, out_channels=channels, groups=channels, padding=padding, dilation=dilation, bias=bias
    )


def _side_by_side(ops: list[Conv2d], names: list[str], x: Array, own: Arrays) -> Array:
    """``y[c] = w[c] * x[c]`` at the rate of each run of channels."""
    found, start = [], 0
    for op, name in zip(ops, names, strict=True):
        prefix = f"{name}." if name else ""
        windows = own[f"{prefix}weight"][:, 0]
        made = [plane(x[:, start + c], windows[c], op) for c in range(op.out_channels)]
        found.append(with_bias(np.stack(made, axis=1), own.get(f"{prefix}bias") if op.bias else None))
        start += op.out_channels
    return np.concatenate(found, axis=1)


def _pointwise(conv: Conv2d, y: Array, own: Arrays, between: str) -> Array:
    """``z[o] = sum over the channels c of its group of point[o, c] * f(y[c])``."""
    y, point = rectified(y, between), own["weight"][:, :, 0, 0]
    m, c = point.shape
    each = m // conv.groups
    made = [sum(point[o, i] * y[:, o // each * c + i] for i in range(c)) for o in range(m)]
    return with_bias(np.stack(made, axis=1), own.get("bias"))


def parse_separable(text: str) -> Separable:
    """Return the scheme written behind ``dwseparable:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    return Separable(**read_parameters("dwseparable", text, {"between": "|".join(_BETWEEN)}))


def parse_dilated(text: str) -> Dilated:
    """Return the scheme written behind ``dwdilated:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("dwdilated", text, {"rates": "1/2/...", "between": "|".join(_BETWEEN)})
    rates = Dilated.rates
    if "rates" in given:
        rates = tuple(integer("dwdilated", "rates", rate.strip()) for rate in given["rates"].split("/"))
    return Dilated(rates, given.get("between", Dilated.between))


SEPARABLE = SchemeKind(
    parse_separable,
    "depthwise, then 1x1 convolution (Howard et al. 2017)",
    ("dwseparable", "dwseparable:between=relu6"),
)
DILATED = SchemeKind(
    parse_dilated,
    "depthwise convolutions of several dilation rates side by side, then 1x1",
    ("dwdilated:rates=1/2", "dwdilated:rates=2", "dwdilated:rates=1/2/3,between=relu"),
)
