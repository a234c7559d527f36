"""``extends``: a specification on top of another one, positions kept.

Mappings are merged key by key; lists, scalars and constants are replaced whole, so that a
value never keeps the source of the value it replaced. ``null`` removes an inherited key.
A mapping laid over a list of named parts changes the parts that it names.
"""

from __future__ import annotations

from energysim.errors import near_miss
from energysim.hardware.yaml_nodes import Node, Position, Problem

__all__ = ["merged"]

#: Ways to state the energy of a memory: one that is stated replaces another that is inherited.
_ENERGIES = ("read", "write", "energy_table", "device")

#: Stands for a part of the parent that the child does not name.
_SAME = Node(Position("", 0, 0), {})


def merged(parent: Node, child: Node) -> tuple[Node, list[Problem]]:
    """Return the child laid over its parent, and where the result would mislead.

    Parameters
    ----------
    parent, child : Node
        Mappings.
    """
    return _laid_over(parent, child), _unknown_parts(parent, child) + _stale_words(parent, child)


def _laid_over(parent: Node, child: Node) -> Node:
    over, under = child.value, parent.value
    if isinstance(over, dict) and isinstance(under, list) and all(_name(node) for node in under):
        return Node(child.at, [_laid_over(node, over.get(_name(node), _SAME)) for node in under])
    if child is _SAME:
        return parent
    if not isinstance(over, dict) or not isinstance(under, dict) or "value" in over or "value" in under:
        return child
    values = {key: node for key, node in under.items() if key not in over}
    stated = [key for key in _ENERGIES if key in over and over[key].value is not None]
    if stated and set(stated) <= {"energy_table"}:
        values = {key: node for key, node in values.items() if key not in ("read", "write", "device")}
    elif "device" in stated:  # size and speed are those of the devices too
        fixed = (*_ENERGIES, "capacity", "bandwidth")
        values = {key: node for key, node in values.items() if key not in fixed}
    elif stated:
        values.pop("device", None)
    for key, node in over.items():
        if node.value is not None:
            values[key] = _laid_over(under[key], node) if key in under else node
    return Node(child.at, values, {**parent.keys, **child.keys})


def _stale_words(parent: Node, child: Node) -> list[Problem]:
    """Energies are per word: a new word width cannot keep the old ones."""
    problems = []
    for level in ("dram", "buffer", *_parts(parent, "levels")):
        over, under = _at(child, level), _at(parent, level)
        word = over.get("word_bits")
        before = under.get("word_bits")
        renewed = {"read", "write"} <= over.keys() or not {"energy_table", "device"}.isdisjoint(over)
        if word is None or before is None or word.value == before.value or renewed:
            continue
        what = (
            f"{word.value} differs from the {before.value} of the specification it extends, whose energies "
            "are per word; give 'read' and 'write' (or an 'energy_table') for the new width"
        )
        problems.append(Problem(word.at, f"levels.{level}.word_bits", what))
    return problems


def _unknown_parts(parent: Node, child: Node) -> list[Problem]:
    """A mapping over a list can only name parts that are in it."""
    problems = []
    for key in ("levels", "axes"):
        names = _parts(parent, key)
        over = child.value.get(key, _SAME) if isinstance(child.value, dict) else _SAME
        if not names or not isinstance(over.value, dict):
            continue
        for name in over.value:
            if name not in names:
                hint = near_miss(name, names) or f" ({', '.join(names)})"
                what = f"the specification it extends has no part {name!r} here{hint}"
                problems.append(Problem(over.keys[name], f"{key}.{name}", what))
    return problems


def _parts(node: Node, key: str) -> list[str]:
    """Return the names of the parts in a list of them."""
    found = node.value.get(key) if isinstance(node.value, dict) else None
    return (
        [_name(part) for part in found.value if _name(part)]
        if found and isinstance(found.value, list)
        else []
    )


def _name(part: Node) -> str:
    """Return the name of a part, or nothing."""
    name = part.value.get("name") if isinstance(part.value, dict) else None
    return name.value if name and isinstance(name.value, str) else ""


def _at(node: Node, level: str) -> dict[str, Node]:
    for key in ("levels", level):
        value = {_name(part): part for part in node.value} if isinstance(node.value, list) else node.value
        if not isinstance(value, dict) or key not in value:
            return {}
        node = value[key]
    return node.value if isinstance(node.value, dict) else {}
