"""One colour per memory level, the same in every picture: told apart with colour-blindness too."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle, islice

__all__ = ["LEVEL_COLOURS", "colours", "tint"]

#: Okabe and Ito, "Color Universal Design", 2008: their eight, and a grey.
_ORANGE, _SKY, _GREEN, _YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
_BLUE, _VERMILION, _PURPLE, _BLACK, _GREY = "#0072B2", "#D55E00", "#CC79A7", "#000000", "#999999"

#: Colours of levels by name: those of every report, then those of the bundled specifications.
LEVEL_COLOURS = {
    "mac": _ORANGE,
    "register": _SKY,
    "buffer": _GREEN,
    "dram": _BLUE,
    "vector": _PURPLE,
    "rf": _VERMILION,
    "spad": _VERMILION,
    "local": _VERMILION,
    "l1": _VERMILION,
    "accumulators": _VERMILION,
    "input_rf": _VERMILION,
    "weight_rf": _YELLOW,
    "l2": _YELLOW,
    "common": _YELLOW,
    "psum_rf": _GREY,
    "weight_register": _GREY,
    "Y": _BLACK,
}

#: For other names, in this order. Black last: it has no darker shade.
_FREE = (_VERMILION, _YELLOW, _GREY, _SKY, _GREEN, _ORANGE, _PURPLE, _BLUE, _BLACK)


def colours(levels: Iterable[str]) -> dict[str, str]:
    """Return the colour of each level of a report as ``"#RRGGBB"``, in the order given.

    Parameters
    ----------
    levels : iterable of str
        All levels of the report, so that every picture of it agrees.

    Notes
    -----
    A name that is not in :data:`LEVEL_COLOURS` takes the next colour that no level of the report has,
    in alphabetical order of such names, whatever the order given; when all nine are gone their tints
    follow, then their shades, and then the same again.
    """
    names = list(dict.fromkeys(levels))
    found: dict[str, str] = {}
    for name, colour in LEVEL_COLOURS.items():  # a free mix of names may want one colour twice
        if name in names and colour not in found.values():
            found[name] = colour
    palette = [*_FREE, *(_mixed(one, 255) for one in _FREE), *(_mixed(one, 0) for one in _FREE[:-1])]
    left = [one for one in palette if one not in found.values()]
    others = sorted(set(names) - set(found))
    found.update(zip(others, islice(cycle(left or palette), len(others)), strict=True))
    return {name: found[name] for name in names}


def tint(colour: str, share: float) -> str:
    """Return a colour mixed with white: ``share`` 1 is the colour itself, 0 is white."""
    return _mixed(colour, 255, share)


def _mixed(colour: str, other: int, share: float = 0.5) -> str:
    """A part of a colour and the rest of white (255) or black (0)."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{int(share * part + (1 - share) * other):02X}" for part in parts)
