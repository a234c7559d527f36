"""Counting rules: every convention on which tools disagree, as a named parameter.

The preset ``timeloop`` reproduces the counts of Timeloop (Parashar et al., ISPASS 2019) for
two-level problems; it exists for cross-checks. The preset ``larger`` is the default with a larger
space of mappings (:mod:`energysim.mapping.larger`). Rules are printed with every result.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from energysim.errors import UsageError, near_miss

__all__ = ["PRESETS", "RULE_VALUES", "Rules", "enlarged", "parse_rules"]

#: Rule -> (meaning, accepted values with their meaning); the first value is the default.
RULE_VALUES: dict[str, tuple[str, dict[str, str]]] = {
    "tiles": (
        "tile sizes searched",
        {
            "all": "every distinct trip count of a dimension, the last tile clipped",
            "divisors": "tiles that divide the dimension",
        },
    ),
    "padding": (
        "zero padding of the input",
        {"skipped": "never fetched nor stored", "fetched": "counted as data"},
    ),
    "untouched": (
        "input elements inside a tile that no window touches",
        {"skipped": "not fetched", "fetched": "fetched with the tile"},
    ),
    "overlap": (
        "rows or columns that neighbouring windows share",
        {
            "one-axis": "kept on chip along the innermost loop the input depends on",
            "none": "fetched again by every tile",
            "both-axes": "as one-axis, or along both in bands of the image, searched as well (two-level)",
        },
    ),
    "first_read": (
        "read of a partial sum before anything was added",
        {"elided": "not made: it is zero", "counted": "counted"},
    ),
    "drain": (
        "buffer read that sends finished outputs to DRAM",
        {"counted": "counted", "elided": "not charged"},
    ),
    "double_buffering": (
        "room for the next tile while this one is used",
        {"no": "one tile of each tensor", "yes": "two tiles of each tensor"},
    ),
    "residence": (
        "what stays on chip while an outer loop runs",
        {
            "even": "whole tiles",
            "uneven": "whole tiles, or some of the channels or filters, searched as well (two-level)",
        },
    ),
}


@dataclass(frozen=True)
class Rules:
    """One value per rule of :data:`RULE_VALUES`."""

    tiles: str = "all"
    padding: str = "skipped"
    untouched: str = "skipped"
    overlap: str = "one-axis"
    first_read: str = "elided"
    drain: str = "counted"
    double_buffering: str = "no"
    residence: str = "even"

    @property
    def even(self) -> Rules:
        """The rules of the space of even tiles that a larger space contains."""
        overlap = "one-axis" if self.overlap == "both-axes" else self.overlap
        return replace(self, overlap=overlap, residence="even")

    def __str__(self) -> str:
        return ",".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self))


PRESETS = {
    "default": Rules(),
    "timeloop": Rules(tiles="divisors", padding="fetched", untouched="fetched", drain="elided"),
    "larger": Rules(overlap="both-axes", residence="uneven"),
}


def parse_rules(text: str, base: Rules | None = None) -> Rules:
    """Return rules from a preset's name, ``rule=value`` pairs, or both, separated by commas.

    Raises
    ------
    UsageError
        An unknown preset, rule or value; offers the nearest.
    """
    rules = base or Rules()
    for item in text.split(","):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            if name not in PRESETS:
                raise UsageError(
                    f"unknown rule set {name!r}{near_miss(name, [*PRESETS, *RULE_VALUES])} "
                    f"(known: {', '.join(PRESETS)}; or RULE=VALUE)"
                )
            rules = PRESETS[name]
            continue
        if name not in RULE_VALUES:
            raise UsageError(
                f"unknown rule {name!r}{near_miss(name, RULE_VALUES)} (known: {', '.join(RULE_VALUES)})"
            )
        accepted = RULE_VALUES[name][1]
        if value not in accepted:
            raise UsageError(
                f"rule {name!r} takes {' or '.join(accepted)}, not {value!r}{near_miss(value, accepted)}"
            )
        rules = replace(rules, **{name: value})
    return rules


def enlarged(rules: str | Rules | None) -> str | Rules:
    """Return rules that ask for the larger space of mappings and are else those given."""
    more = "overlap=both-axes,residence=uneven"
    if isinstance(rules, Rules):
        return parse_rules(more, rules)
    return more if rules is None else f"{rules},{more}"
