"""Reading scheme strings.

A list gives schemes side by side: ``dense,psconv:PSD4_P8,psconv:kss=2,period=6``. An item with
``=`` continues the parameters of the scheme before it, any other starts a scheme.

Rules mix schemes in one network: ``features.*=psconv; classifier.*=dense``. Split on ``;``, each
rule is ``glob=scheme``, the first match wins, a glob that matches no layer with weights is an error,
layers no rule matches stay dense. A single rule whose glob holds ``:`` or ``,`` ends in ``;``.

``a+b`` puts schemes together on the same layers (:mod:`energysim.schemes.compose`):
``shift+nm:2:4``. A ``+`` inside a value is part of it unless a scheme's name follows.

``all`` stands for every scheme that applies (:mod:`energysim.schemes.family`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from energysim.errors import EnergysimError, SchemeError, UnknownNameError, near_miss
from energysim.graph import LayerGraph
from energysim.hardware.quantities import show
from energysim.schemes.base import NO_RULE, Left, Origin, Rewrite, Scheme, weighted_nodes
from energysim.schemes.catalog import SCHEMES
from energysim.schemes.compose import Composed
from energysim.schemes.merge import merged

__all__ = ["SCHEMES", "Rules", "WholeFamily", "parse_scheme", "parse_schemes"]


@dataclass(frozen=True)
class WholeFamily(Scheme):
    """Stands for all schemes that apply; none of itself."""

    def __str__(self) -> str:
        return "all"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; always an error."""
        raise SchemeError("'all' stands for every scheme that applies: it is an item of a list")


@dataclass(frozen=True)
class Rules(Scheme):
    """Schemes by layer.

    Parameters
    ----------
    rules : tuple of (str, Scheme)
        Glob of layer names and what they get; the first match wins.

    Raises
    ------
    SchemeError
        No rule, a glob that cannot be written down, or rules inside a rule.
    """

    rules: tuple[tuple[str, Scheme], ...]

    def __post_init__(self) -> None:
        if not self.rules:
            raise SchemeError("no rule given: write features.*=psconv; classifier.*=dense")
        for glob, scheme in self.rules:
            if not glob or glob != glob.strip() or set(glob) & set("=;"):
                raise SchemeError(
                    f"the glob {show(glob)} of a rule is empty, or has '=', ';' or spaces around it; "
                    "'?' matches any character"
                )
            if isinstance(scheme, Rules):
                raise SchemeError(f"the rule for {show(glob)} gives rules again: a rule is GLOB=SCHEME")

    def __str__(self) -> str:
        text = "; ".join(f"{glob}={scheme}" for glob, scheme in self.rules)
        return text if _is_rules(text) else f"{text};"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`."""
        names = [n.name for n in weighted_nodes(graph)]
        open_names = [n for n in names if only is None or n in only]
        left: dict[str, Left] = {}
        found = Rewrite(graph, {n.name: Origin(n.name) for n in graph.nodes})
        for glob, scheme in self.rules:
            if not any(fnmatchcase(n, glob) for n in names):
                hint = near_miss(glob, [*_block_globs(names), *names])
                raise SchemeError(
                    f"rule {glob!r} matches no layer with weights of {graph.name!r}{hint} "
                    f"(its layers are {_abbreviated(names)})"
                )
            chosen = [n for n in open_names if fnmatchcase(n, glob)]
            if not chosen and only is None:
                raise SchemeError(
                    f"rule {glob!r} never applies: the first match wins, "
                    "and rules before it take all its layers"
                )
            open_names = [n for n in open_names if n not in chosen]
            rewrite = scheme.apply(found.graph, chosen)
            left.update((entry.node, entry) for entry in rewrite.left)
            found = merged(found, rewrite)
        # A layer that reads what another one's rule has made smaller is no layer that was left.
        left.update((n, Left(n, NO_RULE)) for n in open_names if n not in set(found.changed))
        return replace(found, left=tuple(left[n] for n in names if n in left))


def _block_globs(names: list[str]) -> list[str]:
    """Return the globs of all blocks: ``layer1.*`` and ``layer1.0.*`` for ``layer1.0.conv1``."""
    dots = ((name, at) for name in names for at, character in enumerate(name) if character == ".")
    return list(dict.fromkeys(f"{name[:at]}.*" for name, at in dots))


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
    if isinstance(text, str):
        return (_parse_rules(text),) if _is_rules(text) else _parse_list(text)
    found: list[Scheme] = []
    for item in text if isinstance(text, Iterable) else (text,):
        if not isinstance(item, str | Scheme):
            raise SchemeError(f"a scheme is text or a Scheme object, not {type(item).__name__}")
        found += parse_schemes(item)
    return tuple(found)


def parse_scheme(text: str | Scheme) -> Scheme:
    """Return exactly one scheme; ``parse_scheme(str(scheme)) == scheme``.

    Raises
    ------
    SchemeError, UnknownNameError
        Whatever cannot be used, or a list of several.
    """
    found = parse_schemes(text)
    if len(found) != 1:
        raise SchemeError(f"one scheme is wanted here, {show(text)} names {len(found)}")
    return found[0]


def _is_rules(text: str) -> bool:
    head, equals, _ = text.partition("=")
    return ";" in text or (bool(equals) and not set(head) & set(":,"))


def _parse_list(text: str) -> tuple[Scheme, ...]:
    items: list[str] = []
    for item in (part.strip() for part in text.split(",")):
        if not item:
            what = "has an empty item" if text.replace(",", " ").strip() else "names no scheme"
            raise SchemeError(f"{show(text)} {what}: write dense, psconv, psconv:PSD4_P8, ...")
        head, equals, _ = item.partition("=")
        if equals and ":" not in head and items:
            last = _parts(items[-1])[-1]
            items[-1] += f"{',' if ':' in last else ':'}{item}"
        else:
            items.append(item)
    return tuple(_parse_item(item) for item in items)


def _parse_rules(text: str) -> Rules:
    items = [part.strip() for part in text.split(";")]
    rules = []
    for item in items if items[-1] else items[:-1]:
        glob, _, scheme = (part.strip() for part in item.partition("="))
        if not glob or not scheme:
            raise SchemeError(f"a rule is GLOB=SCHEME, not {show(item)}")
        if _is_rules(scheme):
            raise SchemeError(f"rule {show(item)}: {show(scheme)} is a rule again, a rule is GLOB=SCHEME")
        try:
            rules.append((glob, parse_scheme(scheme)))
        except EnergysimError as error:
            raise SchemeError(f"rule {show(item)}: {error}") from None
    return Rules(tuple(rules))


def _parts(item: str) -> list[str]:
    """Cut an item at each ``+`` that puts schemes together."""
    pieces = item.split("+")
    found = pieces[:1]
    for piece in pieces[1:]:
        name = re.split("[:,]", piece, maxsplit=1)[0].strip()
        inside_value = "=" in re.split("[:,]", found[-1])[-1]
        if inside_value and name not in {info.name for info in SCHEMES.list()}:
            found[-1] += f"+{piece}"
        else:
            found.append(piece)
    return [piece.strip() for piece in found]


def _parse_item(item: str) -> Scheme:
    parts = _parts(item)
    if not all(parts):
        raise SchemeError(f"{show(item)} puts nothing together: write shift+nm:2:4")
    schemes = tuple(_parse_one(part) for part in parts)
    return schemes[0] if len(schemes) == 1 else Composed(schemes)


def _parse_one(item: str) -> Scheme:
    name, colon, parameters = (part.strip() for part in item.partition(":"))
    if item.strip() == "all":
        return WholeFamily()
    if colon and not parameters:
        raise SchemeError(f"nothing stands behind the colon of {show(item)}: write {show(name)} alone")
    try:
        parse = SCHEMES.get(name)
    except UnknownNameError:
        if re.fullmatch(r"psd?\d+_p\d+", name, re.IGNORECASE):
            raise SchemeError(
                f"unknown scheme {show(name)}; did you mean {show(f'psconv:{name}')}?"
            ) from None
        raise
    try:
        scheme = parse(parameters)
    except EnergysimError:
        raise
    except Exception as error:
        if name in SCHEMES.builtin:
            raise
        raise SchemeError(
            f"plug-in {name!r} failed on {show(item)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(scheme, Scheme):
        raise SchemeError(f"plug-in {name!r} made a {type(scheme).__name__}, not a scheme")
    return scheme
