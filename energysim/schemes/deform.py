"""``deform``: deformable convolution, whose taps lie at places that a second convolution computes.

Sources: Dai, Qi, Xiong, Li, Zhang, Hu, Wei, "Deformable Convolutional Networks", ICCV 2017 (arXiv
1703.06211), eq. 2-4; version 2, with a factor for each tap: Zhu, Hu, Lin, Dai, "Deformable ConvNets v2",
CVPR 2019 (arXiv 1811.11168), eq. 1. With n = R*S taps, Q output places, G offset groups and v = 2
numbers a tap (3 in version 2) there are, besides the convolution itself::

    C*n * v*G*n * Q      multiply-adds of the offset convolution, C*n * v*G*n weights, v*G*n biases
    4 C*n*Q              operations that weigh 4 pixels a sample, 1 more per sample in version 2
    4 G*n*Q              operations for the weights of the pixels (assumed)
    4 C*n*Q              pixels gathered from the buffer
    v*G*n*Q              offsets and factors: on chip fused, written and read unfused
    C*n*Q                samples: on chip fused, written and read unfused (as an im2col)

Operations of the interpolation are counted apart from the multiply-adds, as ``other_ops``. The gathered
pixels are taken to lie on chip: the map is fetched as by the ordinary convolution (assumed).

Post hoc the offset convolution is zero, as training begins, and the layer computes what it did; in
version 2 its factors are then 1/2, so the weights are doubled (assumed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from energysim.extra import Extra
from energysim.graph import Activation, Conv2d, DeformConv2d, Split
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, integer, read_parameters

__all__ = ["KIND", "Deform", "parse"]

_MOST_GROUPS = 1 << 12


@dataclass(frozen=True)
class Deform(RewritingScheme):
    """An offset convolution and a deformable one in the place of a convolution.

    Parameters
    ----------
    version : {1, 2}
        2 has a factor for each tap.
    groups : int
        G, offset groups, 1 to 4096; a layer whose channels it does not divide is left.

    Raises
    ------
    SchemeError
        For any other value.
    """

    version: int = 1
    groups: int = 1

    # Which weights of a deformable convolution exist and how they are stored no other scheme can say.
    changes = ("graph", "support", "values")

    def __post_init__(self) -> None:
        check_range("deform", "version", self.version, 1, 2)
        check_range("deform", "groups", self.groups, 1, _MOST_GROUPS)

    def __str__(self) -> str:
        given = {"version": (self.version, 1), "groups": (self.groups, 1)}
        told = ",".join(f"{key}={value}" for key, (value, usual) in given.items() if value != usual)
        return f"deform:{told}" if told else "deform"

    def block(self, layer: Layer) -> Block | str:
        """Return the two convolutions, or why the layer stays as it is."""
        op, taps = layer.conv, layer.weight_shape[2] * layer.weight_shape[3]
        if layer.channels % self.groups:
            return f"{self.groups} offset groups do not divide {layer.channels} channels"
        numbers = 2 if self.version == 1 else 3
        places = self.groups * taps
        masked = self.version == 2
        own = (numbers * places, layer.channels, *op.window)

        def derive(dense: Arrays) -> dict[str, Array]:
            made = dict(dense)
            made["weight"] = dense["weight"] * (2 if masked else 1)
            made["offsets.weight"] = np.zeros(own, dense["weight"].dtype)
            made["offsets.bias"] = np.zeros(own[0], dense["weight"].dtype)
            return made

        def reference(x: Array, given: Arrays) -> Array:
            return _reference(op, self, x, given)

        block = Block(layer, "E3", derive=derive, reference=reference)
        offsets = Conv2d(own[0], op.window, op.stride, op.padding, op.dilation)
        inputs = [layer.input, block.part("offsets", offsets, layer.input)]
        if masked:
            block.part("split", Split((2 * places, places)), inputs[1], outputs=2)
            split = f"{layer.name}.split"
            inputs = [layer.input, split, block.part("factors", Activation("sigmoid"), f"{split}:1")]
        deformable = DeformConv2d(
            op.out_channels,
            op.window,
            op.stride,
            op.padding,
            op.dilation,
            op.groups,
            op.bias,
            offset_groups=self.groups,
            masked=masked,
        )
        batch, _, rows, cols = layer.output_shape
        samples = batch * layer.channels * taps * rows * cols
        return block.end(deformable, *inputs, extra=Extra(spilled=samples))

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the papers."""
        return (
            f"{self}: the pixels of all samples lie on chip, the map being fetched as by the ordinary "
            "convolution; 4 operations for the weights of a place's pixels",
        )


def _reference(op: Conv2d, scheme: Deform, x: Array, own: Arrays) -> Array:
    """The definition, place by place: hat functions over the whole map (Dai et al., eq. 3 and 4)."""
    n, channels, height, width = x.shape
    ((_, filters, rows, cols),) = replace(op, kernel=None).infer((x.shape,))
    top, bottom, left, right = op.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    steps = [(r, s) for r in range(op.window[0]) for s in range(op.window[1])]
    weight = own["weight"].reshape(op.groups, filters // op.groups, channels // op.groups, len(steps))
    places, each = scheme.groups * len(steps), channels // scheme.groups
    out = np.zeros((n, filters, rows, cols))
    for image in range(n):
        for i in range(rows):
            for j in range(cols):
                seen = np.zeros(own["offsets.weight"].shape[1:])
                for r, s in steps:
                    y, z = i * op.stride[0] + r * op.dilation[0], j * op.stride[1] + s * op.dilation[1]
                    seen[:, r, s] = padded[image, :, y, z]
                moved = (own["offsets.weight"] * seen).sum(axis=(1, 2, 3)) + own["offsets.bias"]
                samples = np.zeros((channels, len(steps)))
                for group in range(scheme.groups):
                    for tap, (r, s) in enumerate(steps):
                        place = group * len(steps) + tap
                        y = i * op.stride[0] - top + r * op.dilation[0] + moved[2 * place]
                        z = j * op.stride[1] - left + s * op.dilation[1] + moved[2 * place + 1]
                        down = np.maximum(0, 1 - np.abs(np.arange(height) - y))
                        across = np.maximum(0, 1 - np.abs(np.arange(width) - z))
                        value = x[image, group * each : (group + 1) * each] @ across @ down
                        if scheme.version == 2:
                            value = value / (1 + np.exp(-moved[2 * places + place]))
                        samples[group * each : (group + 1) * each, tap] = value
                grouped = samples.reshape(op.groups, 1, channels // op.groups, len(steps))
                out[image, :, i, j] = (weight * grouped).sum(axis=(2, 3)).reshape(-1)
    return out + own["bias"][:, None, None] if "bias" in own else out


def parse(text: str) -> Deform:
    """Return the scheme written behind ``deform:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("deform", text, {"version": "1|2", "groups": f"1..{_MOST_GROUPS}"})
    return Deform(**{key: integer("deform", key, value) for key, value in given.items()})


KIND = SchemeKind(
    parse,
    "taps at places that a second convolution computes (Dai et al. 2017, Zhu et al. 2019)",
    ("deform", "deform:version=2", "deform:groups=4"),
)
