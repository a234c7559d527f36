"""A profile for people: plain text, or the same as markdown."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.profile.sizes import FORMATS, WIDTHS
from energysim.report.layout import Page, Table
from energysim.report.tables import Column, cell_text

if TYPE_CHECKING:
    from energysim.profile.result import Profile, TensorProfile

__all__ = ["render"]


def render(found: Profile, markdown: bool = False) -> str:
    """Return the whole profile as text."""
    title = f"{found.model} {found.input}: zeros of {len(found.tensors)} tensors on {found.images} images"
    heading = [
        ("data", f"{found.data}; {found.normalisation}"),
        ("weights", found.weights),
        ("zeros", found.zeros),
    ]
    columns = _columns([_row(tensor, found.images) for tensor in found.tensors])
    return Page(title, heading, [Table("", columns)], _notes(found)).render(markdown)


def _columns(rows: list[dict[tuple[str, str], str]]) -> list[Column]:
    return [
        Column(key[1], tuple(row[key] for row in rows), key[0], left=key[1] in ("tensor", "shape"))
        for key in rows[0]
    ]


def _row(tensor: TensorProfile, images: int) -> dict[tuple[str, str], str]:
    channels = sorted(tensor.channel_fractions)
    row = {
        ("", "tensor"): cell_text(tensor.name),
        ("", "shape"): tensor.shape,
        ("zeros", "all"): _percent(tensor.zero_fraction),
        ("zeros of a channel", "least"): _percent(channels[0]),
        ("zeros of a channel", "median"): _percent(channels[(len(channels) - 1) // 2]),
        ("zeros of a channel", "largest"): _percent(channels[-1]),
    }
    for width in WIDTHS:
        sizes = tensor.sizes[width]
        group = f"{width} bit: zeros, bits of an image"
        row[group, "zeros"] = _percent(Fraction(sizes.zeros, tensor.elements))
        for name in FORMATS:
            row[group, name] = f"{getattr(sizes, name) // images:,}"
    return row


def _notes(found: Profile) -> list[str]:
    notes = ["Bits are values with side information, one stream per image, rounded down per image here."]
    if found.random:
        notes.append("Weights or images are random: these zeros are not those of a trained network at work.")
    return notes


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.1f} %"
