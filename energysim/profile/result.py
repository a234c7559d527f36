"""What a profile found: a frozen object, and the activation file it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from energysim.densities import SCHEMA
from energysim.errors import UsageError, near_miss
from energysim.profile.sizes import FORMATS as STORED
from energysim.profile.sizes import Sizes
from energysim.report.csv_form import csv_text
from energysim.report.json_form import dump

__all__ = ["FORMATS", "Profile", "TensorProfile"]

FORMATS = ("table", "csv", "json", "markdown")


@dataclass(frozen=True)
class TensorProfile:
    """One tensor, over all images.

    Attributes
    ----------
    name, kind : str
        ``kind`` is the operator that makes it, ``input`` for an input of the network.
    shape : str
        Of one sample.
    elements, zeros : int
    zeros_per_channel : tuple of int
        Along axis 1; all channels have equally many elements.
    sizes : dict of int to Sizes
        By width [bit].
    """

    name: str
    kind: str
    shape: str
    elements: int
    zeros: int
    zeros_per_channel: tuple[int, ...] = field(repr=False)
    sizes: dict[int, Sizes]

    @property
    def zero_fraction(self) -> Fraction:
        """Share of zeros, exact."""
        return Fraction(self.zeros, self.elements)

    @property
    def channel_fractions(self) -> tuple[Fraction, ...]:
        """Share of zeros of each channel, exact."""
        size = self.elements // len(self.zeros_per_channel)
        return tuple(Fraction(zeros, size) for zeros in self.zeros_per_channel)


@dataclass(frozen=True)
class Profile:
    """The result of :func:`energysim.profile.profile`.

    Attributes
    ----------
    model, input : str
    images : int
    data, normalisation, weights, mode : str
    random : bool
        Whether weights or images are random: the zeros then show nothing of a trained network.
    zeros : str
        What counts as a zero.
    tensors : tuple of TensorProfile
        In network order.
    """

    model: str
    input: str
    images: int
    data: str
    normalisation: str
    weights: str
    mode: str
    random: bool
    zeros: str
    tensors: tuple[TensorProfile, ...]

    def to_json(self) -> str:
        """Return the activation file that ``estimate --activations`` reads: exact counts."""
        measured = {
            name: getattr(self, name)
            for name in ("model", "input", "images", "data", "normalisation", "weights", "mode", "zeros")
        }
        tensors = {tensor.name: _entry(tensor) for tensor in self.tensors}
        return "".join(dump({"schema": SCHEMA, "measured": measured, "tensors": tensors})) + "\n"

    def records(self) -> list[dict[str, Any]]:
        """Return a row per tensor; fractions as the nearest float64."""
        found = []
        for tensor in self.tensors:
            channels = sorted(tensor.channel_fractions)
            record: dict[str, Any] = {
                "tensor": tensor.name,
                "kind": tensor.kind,
                "shape": tensor.shape,
                "elements": tensor.elements,
                "zeros": tensor.zeros,
                "zero_fraction": float(tensor.zero_fraction),
                "least_channel": float(channels[0]),
                "median_channel": float(channels[(len(channels) - 1) // 2]),
                "largest_channel": float(channels[-1]),
            }
            for width, sizes in tensor.sizes.items():
                record[f"zeros_{width}"] = sizes.zeros
                record |= {f"{name}_bits_{width}": getattr(sizes, name) for name in STORED}
            found.append(record)
        return found

    def render(self, form: str = "table") -> str:
        """Return the profile as text; JSON is the activation file."""
        if form not in FORMATS:
            raise UsageError(f"unknown format {form!r}{near_miss(form, FORMATS)} ({', '.join(FORMATS)})")
        if form == "json":
            return self.to_json()
        if form == "csv":
            return csv_text(self.records())
        from energysim.profile.text import render

        return render(self, markdown=form == "markdown")

    def __str__(self) -> str:
        return self.render()


def _entry(tensor: TensorProfile) -> dict[str, Any]:
    return {
        "zeros": tensor.zeros,
        "elements": tensor.elements,
        "zeros_per_channel": list(tensor.zeros_per_channel),
        "sizes": {
            str(width): {name: getattr(sizes, name) for name in ("zeros", *STORED)}
            for width, sizes in tensor.sizes.items()
        },
    }
