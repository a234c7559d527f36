"""Patterns."""

from __future__ import annotations

from energysim.graph import Node
from energysim.importers.onnx_sheet import Sheet

__all__ = ["simplify"]


def simplify(sheet: Sheet, returned: tuple[str, ...]) -> tuple[list[Node], dict[str, str]]:
    return sheet.nodes, {}
