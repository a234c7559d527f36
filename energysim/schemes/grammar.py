"""Reading scheme strings.

A list gives schemes side by side: ``dense,psconv:PSD4_P8,psconv:kss=2,period=6``. An item with
``=`` continues the parameters of the scheme before it, any other starts a scheme.

Rules mix schemes in one network: ``features.*=psconv; classifier.*=dense``. Split on ``;``, each
rule is ``glob=scheme``, the first match wins, a glob that matches no layer with weights is an error,
layers no rule matches stay dense.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from energysim.errors import SchemeError, near_miss
from energysim.graph import LayerGraph
from energysim.registry import Registry
from energysim.schemes.base import Left, Origin, Rewrite, Scheme, weighted_nodes

__all__ = ["SCHEMES", "Rules", "parse_scheme", "parse_schemes"]

SCHEMES = Registry(
    "scheme",
    "energysim.schemes",
    {
        "dense": "energysim.schemes.dense:parse",
        "psc": "energysim.schemes.psc:parse",
        "psconv": "energysim.schemes.psconv:parse",
    },
)


@dataclass(frozen=True)
class Rules(Scheme):
    """Schemes by layer: (glob, scheme) pairs, the first match wins."""

    rules: tuple[tuple[str, Scheme], ...]

    def __str__(self) -> str:
        return "; ".join(f"{glob}={scheme}" for glob, scheme in self.rules)

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`."""
        names = [n.name for n in weighted_nodes(graph)]
        open_names = [n for n in names if only is None or n in only]
        left: dict[str, Left] = {}
        changed: dict[str, Origin] = {}
        assumed: list[str] = []
        result = graph
        for glob, scheme in self.rules:
            if not any(fnmatchcase(n, glob) for n in names):
                raise SchemeError(
                    f"rule {glob!r} matches no layer with weights of {graph.name!r}{near_miss(glob, names)} "
                    f"(its layers are {_abbreviated(names)})"
                )
            chosen = [n for n in open_names if fnmatchcase(n, glob)]
            open_names = [n for n in open_names if n not in chosen]
            rewrite = scheme.apply(result, chosen)
            result = rewrite.graph
            changed.update((n, o) for n, o in rewrite.trace.items() if o.scheme != "dense")
            left.update((entry.node, entry) for entry in rewrite.left)
            assumed += [a for a in rewrite.assumed if a not in assumed]
        left.update((n, Left(n, "no rule")) for n in open_names)
        trace = {n.name: changed.get(n.name, Origin(n.name)) for n in result.nodes}
        return Rewrite(result, trace, tuple(left[n] for n in names if n in left), tuple(assumed))


def _abbreviated(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 6 else [*names[:3], "...", *names[-2:]])


def parse_schemes(text: str | Scheme | Iterable[str | Scheme]) -> tuple[Scheme, ...]:
    """Return the schemes of a list string, of rules, or of several of either.

    Raises
    ------
    SchemeError, UnknownNameError
        Whatever cannot be used, with the nearest known name.
    """
    if isinstance(text, Scheme):
        return (text,)
    if not isinstance(text, str):
        return tuple(scheme for item in text for scheme in parse_schemes(item))
    if _is_rules(text):
        return (_parse_rules(text),)
    items: list[str] = []
    for item in text.split(","):
        head = item.strip()
        continues = "=" in head and ":" not in head.partition("=")[0]
        if continues and items:
            items[-1] += f"{',' if ':' in items[-1] else ':'}{head}"
        elif head:
            items.append(head)
    if not items:
        raise SchemeError("no scheme given: write dense, psconv, psconv:PSD4_P8, ...")
    return tuple(_parse_one(item) for item in items)


def parse_scheme(text: str | Scheme) -> Scheme:
    """Return exactly one scheme; ``parse_scheme(str(scheme)) == scheme``."""
    found = parse_schemes(text)
    if len(found) != 1:
        raise SchemeError(f"one scheme is wanted here, {text!r} names {len(found)}")
    return found[0]


def _is_rules(text: str) -> bool:
    return ";" in text or (
        "=" in text and ":" not in text.partition("=")[0] and "," not in text.partition("=")[0]
    )


def _parse_rules(text: str) -> Rules:
    rules = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        glob, equals, scheme = (part.strip() for part in item.partition("="))
        if not equals or not glob or not scheme:
            raise SchemeError(f"a rule is GLOB=SCHEME, not {item!r}")
        rules.append((glob, parse_scheme(scheme)))
    if not rules:
        raise SchemeError("no rule given: write features.*=psconv; classifier.*=dense")
    return Rules(tuple(rules))


def _parse_one(item: str) -> Scheme:
    name, _, parameters = item.partition(":")
    scheme = SCHEMES.get(name.strip())(parameters)
    if not isinstance(scheme, Scheme):
        raise SchemeError(f"plug-in {name.strip()!r} made a {type(scheme).__name__}, not a scheme")
    return scheme
