"""``csc``: a chain of cyclic sparsely connected layers in the place of a convolution or linear layer.

Source: Hosseini et al., "Cyclic Sparsely Connected Neural Network Architectures for Compact Deep
Convolutional Neural Networks", IEEE TVLSI 2021: O(N log N) weights and operations instead of O(N^2), no
memory for indices, linear layers and convolutions alike. The index formula is not readable there; the one
used here has these properties (assumed)::

    z_l[i] = sum over k < F of W_l[i][k] * z_(l-1)[(i + k*d_l) mod N],    l = 0 .. L-1,  L = ceil(log_F N)

with d_l = F^l, or the largest step with which F channels do not reach around, floor((N - 1)/(F - 1)), if
that is less: so every output reaches every input and no weight is there twice. All layers of the chain
have the N channels of the input but the last, which has those of the output. One of them has the window,
stride and padding (the last, or with ``window=first`` the first), the others are 1x1. With N = C:

    weights (L-1)*C*F + M*F*R*S, multiply-adds (L-1)*C*F*H*W + M*F*R*S*P*Q         (window last)

A chain without anything between its layers equals one dense layer (E1). ``between=relu`` puts rectifiers
there (assumed): then it equals its own reference only (E3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from energysim.extra import Extra
from energysim.graph import Activation, Conv2d, Linear
from energysim.kernels import CyclicKernel
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.formulas import plane, rectified, with_bias
from energysim.schemes.layers import Layer, usual_refusal
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["CSC", "KIND", "chain_steps", "parse"]

_LARGEST = 1 << 16
_BETWEEN = ("none", "relu")
_WINDOW = ("last", "first")


def chain_steps(channels: int, fan: int) -> tuple[int, ...]:
    """Return d_l for each layer of the chain, L = ceil(log_F N) of them."""
    furthest = max(1, (channels - 1) // (fan - 1))
    steps = [1]
    while fan ** len(steps) < channels:
        steps.append(min(fan ** len(steps), furthest))
    return tuple(steps)


@dataclass(frozen=True)
class CSC(RewritingScheme):
    """A chain of cyclic layers.

    Parameters
    ----------
    fan : int
        F, channels that each filter reads, 2 to 65536.
    window : {"last", "first"}
        Which layer of the chain has the window of a convolution.
    between : {"none", "relu"}
        What stands between them.

    Raises
    ------
    SchemeError
        For any other value.
    """

    fan: int = 4
    window: str = "last"
    between: str = "none"

    changes: ClassVar[tuple[str, ...]] = ("graph", "support")

    def __post_init__(self) -> None:
        check_range("csc", "fan", self.fan, 2, _LARGEST)
        one_word("csc", "window", self.window, _WINDOW)
        one_word("csc", "between", self.between, _BETWEEN)

    def __str__(self) -> str:
        window = "" if self.window == "last" else f",window={self.window}"
        between = "" if self.between == "none" else f",between={self.between}"
        return f"csc:fan={self.fan}{window}{between}"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`."""
        return usual_refusal(layer, points=True, linear=True)

    def block(self, layer: Layer) -> Block | str:
        """Return the chain, or why the layer stays as it is."""
        op, (m, c, r, s) = layer.op, layer.weight_shape
        if isinstance(op, Conv2d) and op.groups > 1:
            return f"has {op.groups} groups already"
        if self.fan >= c:
            return f"a fan-in of {self.fan} is all of its {c} channels"
        steps = chain_steps(c, self.fan)
        windowed = 0 if self.window == "first" else len(steps) - 1
        links = _links(layer, steps, self.fan, windowed)
        if sum(kernel.nonzeros for kernel in links) >= m * c * r * s:
            return f"a chain of {len(steps)} layers would hold no fewer weights"
        names = (*(f"link{number}" for number in range(1, len(links))), "")

        def reference(x: Array, own: Arrays) -> Array:
            weights = [_of(own, name) for name in names]
            return _run(layer, links, weights, own.get("bias"), windowed, x)

        def equivalent(own: Arrays) -> dict[str, Array]:
            product = _product(links, [_of(own, name) for name in names])
            made = product.reshape(layer.weight_shape[: own["weight"].ndim]).astype(own["weight"].dtype)
            return {"weight": made, "bias": own["bias"]} if "bias" in own else {"weight": made}

        if self.between == "relu":
            block = Block(layer, "E3", reference=reference)
        else:
            block = Block(layer, "E1", equivalent=equivalent)
        x = layer.input
        for number, kernel in enumerate(links[:-1]):
            part = _operator(layer, kernel, number == windowed, False)
            x = block.part(names[number], part, x, extra=_stored(kernel))
            if self.between == "relu":
                x = block.part(f"relu{number + 1}", Activation(), x)
        end = _operator(layer, links[-1], windowed == len(links) - 1, op.bias)
        return block.end(end, x, extra=_stored(links[-1]))

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not readable in the paper."""
        found = [f"{self}: which channels a filter reads is not published in a readable place"]
        if self.between == "relu":
            found.append(f"{self}: what stands between the layers of a chain is not known")
        return tuple(found)


def _of(own: Arrays, name: str) -> Array:
    return own[f"{name}.weight" if name else "weight"]


def _stored(kernel: CyclicKernel) -> Extra:
    """Values only, on any hardware: the rows of such a layer are all alike."""
    return Extra(weight_format=kernel.storage)


def _links(layer: Layer, steps: tuple[int, ...], fan: int, windowed: int) -> tuple[CyclicKernel, ...]:
    m, c, *window = layer.weight_shape
    shapes = [(c, c, 1, 1) for _ in steps]
    shapes[-1] = (m, c, 1, 1)
    shapes[windowed] = (shapes[windowed][0], c, window[0], window[1])
    return tuple(CyclicKernel(shape, fan, step) for shape, step in zip(shapes, steps, strict=True))


def _operator(layer: Layer, kernel: CyclicKernel, windowed: bool, bias: bool) -> Conv2d | Linear:
    filters = kernel.shape[0]
    if isinstance(layer.op, Linear):
        return Linear(filters, bias, kernel)
    if windowed:
        return replace(layer.conv, out_channels=filters, bias=bias, kernel=kernel)
    return Conv2d(filters, (1, 1), bias=bias, kernel=kernel)


def _product(links: tuple[CyclicKernel, ...], weights: list[Array]) -> Array:
    """The one dense weight tensor (M, C, R, S) of a chain without anything between its layers."""
    full = [np.where(k.mask(), w.reshape(k.shape), 0) for k, w in zip(links, weights, strict=True)]
    product = full[0]
    for one in full[1:]:  # one of them at most is no 1x1: its window is that of both
        taps = np.einsum("oirs,icuv->ocrsuv", one, product)
        m, c, r, s, u, v = taps.shape
        product = taps.reshape(m, c, r * u, s * v)
    return product


def _run(
    layer: Layer,
    links: tuple[CyclicKernel, ...],
    weights: list[Array],
    bias: Array | None,
    windowed: int,
    x: Array,
) -> Array:
    """The formula of a chain with rectifiers, channel by channel."""
    linear = isinstance(layer.op, Linear)
    z = np.asarray(x, dtype=np.float64)
    z = np.moveaxis(z, -1, 1) if linear else z
    for number, (kernel, weight) in enumerate(zip(links, weights, strict=True)):
        filters, channels = kernel.shape[:2]
        full = weight.reshape(kernel.shape)
        total = []
        for i in range(filters):
            read = [(i + k * kernel.step) % channels for k in range(kernel.fan)]
            if number == windowed and not linear:
                total.append(sum(plane(z[:, j], full[i, j], layer.conv) for j in read))
            else:
                total.append(sum(full[i, j, 0, 0] * z[:, j] for j in read))
        z = np.stack(total, axis=1)
        z = rectified(z, "relu" if number < len(links) - 1 else "none")
    z = with_bias(z, bias)
    return np.moveaxis(z, 1, -1) if linear else z


def parse(text: str) -> CSC:
    """Return the scheme written behind ``csc:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters(
        "csc", text, {"fan": f"2..{_LARGEST}", "window": "|".join(_WINDOW), "between": "|".join(_BETWEEN)}
    )
    fan = integer("csc", "fan", given["fan"]) if "fan" in given else CSC.fan
    return CSC(fan, given.get("window", CSC.window), given.get("between", CSC.between))


KIND = SchemeKind(
    parse,
    "a chain of cyclic sparsely connected layers (Hosseini et al. 2021)",
    ("csc:fan=4", "csc:fan=8,window=first", "csc:fan=4,between=relu"),
)
