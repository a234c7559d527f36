"""Measured activations: the part of an activation file that a profile writes, and a reader checks.

An entry of ``tensors`` then holds exact counts instead of fractions::

    {"zeros": 31, "elements": 64, "zeros_per_channel": [16, 15],
     "sizes": {"8": {"zeros": 33, "dense": 512, "bitmap": 312, "rlc": 363}}}

``zeros`` and ``elements`` are sums over all images; channels lie along axis 1 and are of equal size.
``sizes`` are bits of the tensors quantised to so many bits, image by image, and zeros after rounding;
nothing but people reads them. The file's section ``measured`` says what was run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from energysim.errors import DensityError, near_miss

__all__ = [
    "COUNT_KEYS",
    "MEASURED_KEYS",
    "SIZE_KEYS",
    "Measured",
    "counts_schema",
    "measured_schema",
    "read_counts",
    "read_measured",
]

COUNT_KEYS = ("zeros", "elements", "zeros_per_channel", "sizes")
SIZE_KEYS = ("zeros", "dense", "bitmap", "rlc")


@dataclass(frozen=True)
class Measured:
    """What was run to measure: the section ``measured`` of a file, as far as it says.

    Attributes
    ----------
    model, input : str
        Name of the network, and shape of a sample.
    images : int
    data, normalisation, weights, mode, zeros : str
        In words.
    """

    model: str = ""
    input: str = ""
    images: int = 0
    data: str = ""
    normalisation: str = ""
    weights: str = ""
    mode: str = ""
    zeros: str = ""

    def elsewhere(self, model: str, input: str) -> str | None:
        """Return on what it was measured, if that was another network or another input."""
        own = self.model or model, self.input or input
        return None if own == (model, input) else " ".join(own)

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.data, self.weights)))


#: Key -> type of the section on what was run.
MEASURED_KEYS: dict[str, type] = {f.name: type(f.default) for f in fields(Measured)}


def read_counts(where: str, value: Mapping[str, Any]) -> tuple[Fraction, tuple[Fraction, ...]]:
    """Return the zero fraction and those of the channels from exact counts.

    Raises
    ------
    DensityError
        If a key is unknown or missing, or counts contradict each other.
    """
    _known(where, value, COUNT_KEYS)
    for key in ("zeros", "elements"):
        if key not in value:
            raise DensityError(f"{where}: counts need zeros and elements, {key} is missing")
    zeros, elements = (
        _count(f"{where}: zeros", value["zeros"]),
        _count(f"{where}: elements", value["elements"]),
    )
    if elements < 1 or zeros > elements:
        raise DensityError(f"{where}: {zeros} zeros of {elements} elements make no sense")
    _check_sizes(where, value.get("sizes", {}), elements)
    channels = value.get("zeros_per_channel", [])
    if not isinstance(channels, list | tuple):
        raise DensityError(f"{where}: zeros_per_channel is a list of counts")
    if not channels:
        return Fraction(zeros, elements), ()
    each = [_count(f"{where}: zeros of channel {i}", c) for i, c in enumerate(channels)]
    size, rest = divmod(elements, len(each))
    if rest or sum(each) != zeros or max(each) > size:
        raise DensityError(
            f"{where}: {len(each)} channels with {sum(each)} zeros do not make {zeros} of {elements} elements"
        )
    return Fraction(zeros, elements), tuple(Fraction(c, size) for c in each)


def read_measured(where: str, value: Any) -> Measured:
    """Return the section on what was run.

    Raises
    ------
    DensityError
        If it is none.
    """
    if not isinstance(value, Mapping):
        raise DensityError(f"{where}: measured is an object")
    _known(f"{where}: measured", value, MEASURED_KEYS)
    for key, item in value.items():
        if type(item) is not MEASURED_KEYS[key]:
            what = "a text" if MEASURED_KEYS[key] is str else "a whole number"
            raise DensityError(f"{where}: measured: {key} is {what}")
    return Measured(**value)


def counts_schema() -> dict[str, Any]:
    """Return the JSON schema of an entry of counts."""
    count = {"type": "integer", "minimum": 0}
    size = {
        "type": "object",
        "properties": dict.fromkeys(SIZE_KEYS, count),
        "additionalProperties": False,
        "description": "Bits over all images, and zeros after rounding to this width.",
    }
    return {
        "type": "object",
        "properties": {
            "zeros": {**count, "description": "Elements that are 0, over all images."},
            "elements": {"type": "integer", "minimum": 1},
            "zeros_per_channel": {"type": "array", "items": count, "description": "Along axis 1."},
            "sizes": {
                "type": "object",
                "patternProperties": {"^[0-9]+$": size},
                "additionalProperties": False,
            },
        },
        "required": ["zeros", "elements"],
        "additionalProperties": False,
    }


def measured_schema() -> dict[str, Any]:
    """Return the JSON schema of the section on what was run."""
    kinds = {str: "string", int: "integer"}
    return {
        "type": "object",
        "properties": {key: {"type": kinds[kind]} for key, kind in MEASURED_KEYS.items()},
        "additionalProperties": False,
    }


def _check_sizes(where: str, value: Any, elements: int) -> None:
    if not isinstance(value, Mapping):
        raise DensityError(f"{where}: sizes is an object, width -> bits by format")
    for width, sizes in value.items():
        place = f"{where}: sizes of {width} bits"
        if not (str(width).isascii() and str(width).isdigit()) or not isinstance(sizes, Mapping):
            raise DensityError(
                f"{where}: sizes hold a width and an object of bits by format, not {width!r:.40}"
            )
        _known(place, sizes, SIZE_KEYS)
        for key, bits in sizes.items():
            if key == "zeros" and _count(f"{place}: zeros", bits) > elements:
                raise DensityError(f"{place}: {bits} zeros of {elements} elements make no sense")
            _count(f"{place}: {key}", bits)


def _known(where: str, value: Mapping[str, Any], keys: Any) -> None:
    for key in value:
        if key not in keys:
            raise DensityError(
                f"{where}: unknown key {key!r:.40}{near_miss(str(key), keys)} ({', '.join(keys)})"
            )


def _count(where: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise DensityError(f"{where}: a count is a whole number of at least 0, not {value!r:.40}")
    return value
