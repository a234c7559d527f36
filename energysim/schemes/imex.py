"""``imex``: one semi-implicit step of a reaction-diffusion equation in the place of a convolution.

Source: Haber, Lensink, Treister, Ruthotto, "IMEXnet: A Forward Stable Deep Neural Network", ICML 2019
(arXiv 1903.02639), and its code (github.com/HaberGroup/SemiImplicitDNNs), which leaves out the
term +h L x of the paper::

    u = x + h K^T relu(BN(K x))           explicit: K has windows without mean, zeros around the map
    y = (I + h L^T L)^-1 BN(u)            implicit: L a 3x3 stencil per channel, circular boundary

Both halves with C channels: 2 R*S*C^2*P*Q multiply-adds, of which the weights R*S*C^2 of K are stored
once, and 9 C weights of L. The solve runs as two Fourier transforms; its operations are counted apart
(see :class:`~energysim.graph.CircularSolve`), its spectrum of 2*C*P*Q words stays on chip fused and is
written and read unfused. It goes into layers that keep channels and size of the map.

The two batch norms have weights of their own (the code uses one of them twice); the mean is taken out
of the windows of K before they are stored; a bias of the layer is left out (all assumed). The block
is no convolution: its weights must be trained, or are drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from energysim.errors import SchemeError
from energysim.extra import Extra
from energysim.graph import Activation, Add, BatchNorm, CircularSolve, Conv2d, Elementwise
from energysim.hardware.quantities import show
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import fraction, fraction_text, read_parameters

__all__ = ["KIND", "Imex", "parse"]


@dataclass(frozen=True)
class Imex(RewritingScheme):
    """A semi-implicit step.

    Parameters
    ----------
    step : Fraction
        h, above 0 and at most 1; 0.1 in the demonstration of the code.

    Raises
    ------
    SchemeError
        For any other value.
    """

    step: Fraction = Fraction(1, 10)

    # K is used twice and L solved with: no other scheme can thin them or say how they are stored.
    changes = ("graph", "support", "values")

    def __post_init__(self) -> None:
        if not isinstance(self.step, Fraction) or not 0 < self.step <= 1:
            raise SchemeError(
                f"h of scheme 'imex' lies above 0 and is at most 1, not {show(_text(self.step))}"
            )

    def __str__(self) -> str:
        return "imex" if self.step == Imex.step else f"imex:h={fraction_text(self.step)}"

    def block(self, layer: Layer) -> Block | str:
        """Return both halves of the step, or why the layer stays as it is."""
        op = layer.conv
        if layer.channels != op.out_channels:
            return f"{layer.channels} channels become {op.out_channels}"
        if layer.input_shape != layer.output_shape or op.stride != (1, 1):
            return "the map changes its size"
        top, bottom, left, right = op.padding
        # The adjoint: filters and channels exchanged, windows turned by 180 degrees, padding too.
        first = replace(op, bias=False)
        second = replace(first, padding=(bottom, top, right, left))
        step = float(self.step)

        def tie(own: Arrays) -> dict[str, Array]:
            weight = own["explicit.weight"]
            centred = weight - weight.mean(axis=(2, 3), keepdims=True, dtype=weight.dtype)
            return {"explicit.weight": centred, "adjoint.weight": _adjoint(centred, op.groups)}

        def reference(x: Array, own: Arrays) -> Array:
            return _reference(first, step, x, own)

        batch, channels, rows, cols = layer.output_shape
        block = Block(layer, "E3", reference=reference, tie=tie)
        x = block.part("norm", BatchNorm(), block.part("explicit", first, layer.input))
        x = block.part("adjoint", second, block.part("relu", Activation("relu"), x), extra=Extra(tied=True))
        x = block.part("step", Elementwise("multiply", (step,)), x)
        x = block.part("outer_norm", BatchNorm(), block.part("sum", Add(), layer.input, x))
        spectrum = 2 * batch * channels * rows * cols
        return block.end(CircularSolve(step), x, extra=Extra(spilled=spectrum))

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the paper or its code."""
        return (
            f"{self}: two batch norms with weights of their own; 5 n ceil(log2 n) operations for a Fourier "
            "transform of n pixels; divisors of the solve made when the network is loaded",
        )


def _adjoint(weight: Array, groups: int) -> Array:
    """The weights of the transposed convolution, as those of a convolution."""
    m, c, r, s = weight.shape
    turned = weight[:, :, ::-1, ::-1].reshape(groups, m // groups, c, r, s).swapaxes(1, 2)
    return np.ascontiguousarray(turned.reshape(groups * c, m // groups, r, s))


def _reference(op: Conv2d, step: float, x: Array, own: Arrays) -> Array:
    """The formulas with matrices: K^T is the transpose of K's, the solve one of linear equations."""
    n, channels, height, width = x.shape
    pixels = height * width
    k = _matrix(own["explicit.weight"], op, (channels, height, width))
    flat = x.reshape(n, -1)
    inner = _normed((flat @ k.T).reshape(x.shape), own, "norm")
    u = flat + step * (np.maximum(inner, 0).reshape(n, -1) @ k)
    u = _normed(u.reshape(x.shape), own, "outer_norm").reshape(n, channels, pixels)
    out = np.empty_like(u)
    for c in range(channels):
        stencil = np.zeros((pixels, pixels))
        for i in range(height):
            for j in range(width):
                for r in range(3):
                    for s in range(3):
                        place = (i + r - 1) % height * width + (j + s - 1) % width
                        stencil[i * width + j, place] += own["weight"][c, 0, r, s]
        out[:, c] = np.linalg.solve(np.eye(pixels) + step * stencil.T @ stencil, u[:, c].T).T
    return out.reshape(x.shape)


def _matrix(weight: Array, op: Conv2d, shape: tuple[int, int, int]) -> Array:
    """The matrix of a convolution that keeps its shape, from flat maps to flat maps."""
    channels, height, width = shape
    inside = channels // op.groups
    found = np.zeros((*shape, *shape))
    for i in range(height):
        for j in range(width):
            for r in range(op.window[0]):
                for s in range(op.window[1]):
                    y, z = i + r * op.dilation[0] - op.padding[0], j + s * op.dilation[1] - op.padding[2]
                    if not (0 <= y < height and 0 <= z < width):
                        continue
                    for group in range(op.groups):
                        own = slice(group * inside, (group + 1) * inside)
                        found[own, i, j, own, y, z] += weight[own, :, r, s]
    return found.reshape(channels * height * width, -1)


def _normed(x: Array, own: Arrays, name: str) -> Array:
    """A batch norm with stored statistics."""
    mean, variance, weight, bias = (
        own[f"{name}.{suffix}"][:, None, None] for suffix in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + BatchNorm().epsilon) * weight + bias


def _text(value: object) -> str:
    return fraction_text(value) if isinstance(value, Fraction) else str(value)


def parse(text: str) -> Imex:
    """Return the scheme written behind ``imex:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("imex", text, {"h": "0.1"})
    return Imex(fraction("imex", "h", given["h"])) if "h" in given else Imex()


KIND = SchemeKind(
    parse,
    "an explicit step and a solve by Fourier transforms (Haber et al. 2019)",
    ("imex", "imex:h=0.5"),
)
