"""``shift``: each channel is moved by one tap of the window, then a 1x1 convolution mixes the channels.

Source: Wu, Wan, Yue, Jin, Zhao, Golmant, Gholaminejad, Gonzalez, Keutzer, "Shift: A Zero FLOP,
Zero Parameter Alternative to Spatial Convolutions", CVPR 2018 (arXiv 1711.08141), section 3: the
channels are cut into n equal groups, one per tap of the R x S window (n = R*S), in row-major order;
channels left over stay in place (the middle tap: assumed). It computes what a convolution computes
that has one weight per filter and channel, at the same tap for all filters. Counts: C*M*P*Q
multiply-adds and C*M weights; nothing is stored for the shifts (``map=fixed``), or the tap of each
channel, C*ceil(log2 n) bits (``map=stored``).

``shift:block`` takes two layers at once: see :mod:`energysim.schemes.shift_block`.

Post hoc, the 1x1 convolution gets the weights of the dense one at each channel's tap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from energysim.errors import SchemeError, near_miss
from energysim.extra import Extra
from energysim.graph import TapShift
from energysim.hardware.quantities import show
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block, Written
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import read_parameters
from energysim.schemes.shift_block import parse_block
from energysim.schemes.shift_taps import channel_taps

__all__ = ["KIND", "Shift", "parse"]

_MAPS = ("fixed", "stored")


@dataclass(frozen=True)
class Shift(RewritingScheme):
    """Shift and 1x1 convolution in the place of a convolution.

    Parameters
    ----------
    map : {"fixed", "stored"}
        Whether each channel's tap follows from its number, or is stored.

    Raises
    ------
    SchemeError
        For any other value.
    """

    map: str = "fixed"

    def __post_init__(self) -> None:
        if self.map not in _MAPS:
            raise SchemeError(
                f"map of scheme 'shift' is {' or '.join(_MAPS)}, not {show(self.map)}"
                f"{near_miss(str(self.map), _MAPS)}"
            )

    def __str__(self) -> str:
        return "shift" if self.map == "fixed" else "shift:map=stored"

    def block(self, layer: Layer) -> Block | str:
        """Return shift and 1x1 convolution, or why the layer stays as it is."""
        op, window = layer.conv, layer.conv.window
        if layer.channels < window[0] * window[1]:
            return f"{layer.channels} channels are fewer than the {window[0] * window[1]} taps"
        taps = channel_taps(layer.channels, window)
        width = (window[0] * window[1] - 1).bit_length()
        # Channels of one group are c = 0 .. C/G - 1; the tap belongs to the channel over all groups.
        m, c = layer.weight_shape[:2]
        group = np.arange(m) // (m // op.groups)
        channel = group[:, None] * c + np.arange(c)
        row, column = np.divmod(np.array(taps)[channel], window[1])
        filters, inside = np.arange(m)[:, None], np.arange(c)[None, :]

        def derive(dense: Arrays) -> dict[str, Array]:
            kept = dense["weight"][filters, inside, row, column]
            return {**dense, "weight": np.ascontiguousarray(kept[:, :, None, None])}

        def equivalent(own: Arrays) -> dict[str, Array]:
            full = np.zeros(layer.weight_shape, dtype=own["weight"].dtype)
            full[filters, inside, row, column] = own["weight"][:, :, 0, 0]
            return {**own, "weight": full}

        def written(own: Arrays) -> tuple[Written, ...]:
            return (Written("shift map", np.array(taps), width),) if self.map == "stored" else ()

        block = Block(layer, "E1", derive=derive, equivalent=equivalent, written=written, integers=True)
        moved = block.part("shift", TapShift(taps, window, op.padding, op.dilation), layer.input)
        point = replace(op, window=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1))
        bits = layer.channels * width if self.map == "stored" else 0
        return block.end(point, moved, extra=Extra(table_bits=bits))

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the paper."""
        return (f"{self}: channels that the taps do not divide stay in place",)


def parse(text: str) -> RewritingScheme:
    """Return the scheme written behind ``shift:``; a first word ``block`` asks for that of pairs.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    word, _, rest = text.partition(",")
    if word.strip() == "block":
        return parse_block(rest)
    return Shift(**read_parameters("shift", text, {"map": "fixed|stored"}))


KIND = SchemeKind(
    parse,
    "each channel moved by a tap, then a 1x1 convolution (Wu et al. 2018); block: 1x1, shift, 1x1 for two",
    ("shift", "shift:block,expansion=3"),
)
