"""``all``: every member of every family, of which those that apply are estimated side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from energysim.errors import EnergysimError
from energysim.schemes.base import Scheme
from energysim.schemes.catalog import SCHEMES, kind_of
from energysim.schemes.grammar import WholeFamily, parse_scheme

__all__ = ["expanded", "why_nothing"]


def expanded(
    schemes: Iterable[Scheme],
) -> tuple[tuple[Scheme, ...], frozenset[Scheme], tuple[tuple[str, str], ...]]:
    """Return schemes with ``all`` replaced by its members.

    Returns
    -------
    schemes : tuple of Scheme
        Each once.
    optional : frozenset of Scheme
        Those that only ``all`` asked for: they may be skipped.
    skipped : tuple of (str, str)
        Plug-ins that cannot be used, and why.
    """
    asked = tuple(schemes)
    found: dict[Scheme, None] = {}
    skipped: list[tuple[str, str]] = []
    for scheme in asked:
        if not isinstance(scheme, WholeFamily):
            found[scheme] = None
            continue
        for info in SCHEMES.list():
            try:
                found.update(dict.fromkeys(parse_scheme(text) for text in kind_of(info.name).family))
            except EnergysimError as error:
                skipped.append((info.name, str(error)))
    optional = frozenset(found) - frozenset(asked)
    return tuple(found), optional, tuple(skipped)


def why_nothing(reasons: Iterable[str]) -> str:
    """Return in a few words why a scheme changed no layer."""
    counts = Counter(reasons)
    told = ", ".join(f"{count} x {reason}" for reason, count in counts.most_common(3))
    more = len(counts) - 3
    others = f" and {more} other reason{'s' if more > 1 else ''}" if more > 0 else ""
    return f"no layer it can change: {told}{others}"
