"""``extends``: a specification on top of another one, positions kept.

Mappings are merged key by key; lists, scalars and constants are replaced whole, so that a
value never keeps the source of the value it replaced. ``null`` removes an inherited key.
"""

from __future__ import annotations

from energysim.hardware.yaml_nodes import Node, Problem

__all__ = ["merged"]


def merged(parent: Node, child: Node) -> tuple[Node, list[Problem]]:
    """Return the child laid over its parent, and where the result would mislead.

    Parameters
    ----------
    parent, child : Node
        Mappings.
    """
    return _laid_over(parent, child), _stale_words(parent, child)


def _laid_over(parent: Node, child: Node) -> Node:
    over, under = child.value, parent.value
    if not isinstance(over, dict) or not isinstance(under, dict) or "value" in over or "value" in under:
        return child
    values = {key: node for key, node in under.items() if key not in over}
    if "energy_table" in over and "read" not in over and "write" not in over:
        values = {key: node for key, node in values.items() if key not in ("read", "write")}
    for key, node in over.items():
        if node.value is not None:
            values[key] = _laid_over(under[key], node) if key in under else node
    return Node(child.at, values, {**parent.keys, **child.keys})


def _stale_words(parent: Node, child: Node) -> list[Problem]:
    """Energies are per word: a new word width cannot keep the old ones."""
    problems = []
    for level in ("dram", "buffer"):
        over, under = _at(child, level), _at(parent, level)
        word = over.get("word_bits")
        before = under.get("word_bits")
        renewed = {"read", "write"} <= over.keys() or "energy_table" in over
        if word is None or before is None or word.value == before.value or renewed:
            continue
        what = (
            f"{word.value} differs from the {before.value} of the specification it extends, whose energies "
            "are per word; give 'read' and 'write' (or an 'energy_table') for the new width"
        )
        problems.append(Problem(word.at, f"levels.{level}.word_bits", what))
    return problems


def _at(node: Node, level: str) -> dict[str, Node]:
    for key in ("levels", level):
        if not isinstance(node.value, dict) or key not in node.value:
            return {}
        node = node.value[key]
    return node.value if isinstance(node.value, dict) else {}
