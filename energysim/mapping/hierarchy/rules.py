"""Counting rules that only a hierarchy has; the others are those of :mod:`energysim.mapping.rules`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from energysim.errors import UsageError, near_miss

__all__ = ["HIERARCHY_RULES", "HierarchyRules", "hierarchy_rules"]

#: Rule -> (meaning, accepted values with their meaning); the first value is the default.
HIERARCHY_RULES: dict[str, tuple[str, dict[str, str]]] = {
    "returned_sums": (
        "partial sum that comes back to lanes whose sums are added along an axis",
        {
            "one": "goes to one of them, the others start at zero",
            "all": "goes to each of them, as Timeloop counts",
        },
    ),
}


@dataclass(frozen=True)
class HierarchyRules:
    """One value per rule of :data:`HIERARCHY_RULES`."""

    returned_sums: str = "one"

    def __str__(self) -> str:
        return ",".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self))


def hierarchy_rules(given: tuple[tuple[str, str], ...]) -> HierarchyRules:
    """Return the rules of (name, value) pairs.

    Raises
    ------
    UsageError
        An unknown rule or value; offers the nearest.
    """
    for name, value in given:
        if name not in HIERARCHY_RULES:
            known = ", ".join(HIERARCHY_RULES)
            raise UsageError(f"unknown rule {name!r}{near_miss(name, HIERARCHY_RULES)} (known: {known})")
        accepted = HIERARCHY_RULES[name][1]
        if value not in accepted:
            raise UsageError(
                f"rule {name!r} takes {' or '.join(accepted)}, not {value!r}{near_miss(value, accepted)}"
            )
    return HierarchyRules(**dict(given))
