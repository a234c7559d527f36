"""``split``: some channels pass untouched, the others go through a smaller layer, and both are joined.

SSP-like: the generic part of the "proportional channel split" of Turay and Vladimirova, SSP framework, IEEE
Access 2022. Ratios, skip connections and the order of channels are not readable there, so this is a model
of it and not the framework (assumed: of C channels the first floor(r*C) pass). With a share r::

    y = [x_1, conv(x_2)],   x = [x_1, x_2],   C' = C - floor(r*C)

    weights C'*C'*R*S, multiply-adds C'*C'*R*S*P*Q

It applies where a layer has as many filters as channels and keeps the size of its map. It computes what a
convolution does that has a single 1 at the middle tap for each channel that passes (E1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from energysim.errors import SchemeError
from energysim.graph import Concat, Split
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import fraction, fraction_text, read_parameters

__all__ = ["KIND", "ChannelSplit", "parse"]


@dataclass(frozen=True)
class ChannelSplit(RewritingScheme):
    """A share of the channels passes untouched.

    Parameters
    ----------
    share : Fraction
        r, 0 or more and below 1.

    Raises
    ------
    SchemeError
        For any other value.
    """

    share: Fraction = Fraction(1, 2)

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise SchemeError(
                f"share of scheme 'split' is 0 or more and below 1, not {fraction_text(self.share)}"
            )

    def __str__(self) -> str:
        return f"split:share={fraction_text(self.share)}"

    def block(self, layer: Layer) -> Block | str:
        """Return both ways, or why the layer stays as it is."""
        conv, (m, c, _, _) = layer.conv, layer.weight_shape
        if conv.groups > 1:
            return f"has {conv.groups} groups already"
        if m != c:
            return f"{m} filters for {c} channels: those that pass need as many"
        tap = [before // d for before, d in zip(conv.padding[::2], conv.dilation, strict=True)]
        places = zip(conv.padding[::2], conv.dilation, conv.window, strict=True)
        same = all(before % d == 0 and before // d < size for before, d, size in places)
        if layer.input_shape != layer.output_shape or conv.stride != (1, 1) or not same:
            return "its output does not lie on its input pixel by pixel"
        passing = int(self.share * c)
        if not passing:
            return "no channel would pass"

        def equivalent(own: Arrays) -> dict[str, Array]:
            weight = np.zeros(layer.weight_shape, dtype=own["rest.weight"].dtype)
            weight[range(passing), range(passing), tap[0], tap[1]] = 1
            weight[passing:, passing:] = own["rest.weight"]
            if "rest.bias" not in own:
                return {"weight": weight}
            bias = np.zeros(m, dtype=own["rest.bias"].dtype)
            bias[passing:] = own["rest.bias"]
            return {"weight": weight, "bias": bias}

        block = Block(layer, "E1", equivalent=equivalent, integers=True)
        passed = block.part("split", Split((passing, c - passing)), layer.input, outputs=2)
        rest = block.part("rest", replace(conv, out_channels=m - passing), f"{passed}:1")
        return block.end(Concat(), passed, rest)

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not readable in the paper."""
        return (
            f"{self}: SSP-like, not SSP: which channels pass, at what share, and what mixes both parts is "
            "not published in a readable place",
        )


def parse(text: str) -> ChannelSplit:
    """Return the scheme written behind ``split:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("split", text, {"share": "0..1"})
    return ChannelSplit(fraction("split", "share", given["share"])) if given else ChannelSplit()


KIND = SchemeKind(
    parse,
    "some channels pass untouched beside a smaller layer, then both are joined (SSP-like)",
    ("split:share=0.5", "split:share=0.25"),
)
