"""A profile for people: plain text, or the same as markdown."""

from __future__ import annotations

import textwrap
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.profile.sizes import FORMATS, WIDTHS
from energysim.report.tables import Column, cell_text, github, markdown_text, plain

if TYPE_CHECKING:
    from energysim.profile.result import Profile, TensorProfile

__all__ = ["render"]

_WIDTH = 100


def render(found: Profile, markdown: bool = False) -> str:
    """Return the whole profile as text."""
    title = f"{found.model} {found.input}: zeros of {len(found.tensors)} tensors on {found.images} images"
    heading = [
        ("data", f"{found.data}; {found.normalisation}"),
        ("weights", found.weights),
        ("zeros", found.zeros),
    ]
    columns = _columns([_row(tensor, found.images) for tensor in found.tensors])
    notes = _notes(found)
    if markdown:
        listed = [f"- {name}: {markdown_text(words)}" for name, words in heading]
        told = [f"- {markdown_text(note)}" for note in notes]
        lines = [f"## {markdown_text(title)}", "", *listed, "", github(columns), "", *told]
    else:
        listed = [line for name, words in heading for line in _wrapped(f"{name:9}{words}", 9)]
        told = [line for note in notes for line in _wrapped(note, 2)]
        lines = [cell_text(title), "", *listed, "", plain(columns), "", *told]
    return "\n".join(lines) + "\n"


def _wrapped(words: str, indent: int) -> list[str]:
    return textwrap.wrap(cell_text(words), _WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


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
