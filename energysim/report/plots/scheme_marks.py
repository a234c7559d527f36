"""How schemes are told apart where a colour is not a memory level's: dark to light, and by their marks."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib

__all__ = ["Mark", "scheme_marks"]

_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


@dataclass(frozen=True)
class Mark:
    """Colour and shape of the points of one scheme."""

    colour: tuple[float, float, float, float]
    shape: str


def scheme_marks(count: int) -> list[Mark]:
    """Return the marks of so many schemes.

    Colours are those of cividis (Nunez, Anderton, Renslow, 2018), which look the same with and without
    colour-blindness, without its light end.
    """
    colours = matplotlib.colormaps["cividis"]
    places = [0.85 * number / max(count - 1, 1) for number in range(count)]
    return [
        Mark(tuple(map(float, colours(place))), _SHAPES[number % len(_SHAPES)])  # type: ignore[arg-type]
        for number, place in enumerate(places)
    ]
