"""Rewrites one after the other, as one rewrite of the first graph; and weights through all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from energysim.errors import SchemeError, WeightsError
from energysim.extra import Extra, Table
from energysim.schemes.base import Origin, Rewrite
from energysim.schemes.block import Array, Recipe

__all__ = [
    "derived_weights",
    "equivalent_weights",
    "merged",
    "own_arrays",
    "settled_weights",
    "tied_weights",
    "underivable",
]


def merged(first: Rewrite, second: Rewrite) -> Rewrite:
    """Return two rewrites as one, the second being one of the first's graph; ``left`` is the first's.

    Raises
    ------
    SchemeError
        If both state the same quantity of a node, or a shared table, differently.
    """
    trace = {name: _joined(first, origin) for name, origin in second.trace.items()}
    trace = _as_exact_as_its_parts(trace, bool(first.kept or second.kept))
    extras = {name: extra for name, extra in first.extras.items() if name in trace}
    for name, extra in second.extras.items():
        extras[name] = extras.get(name, Extra()).with_more(name, extra)
    assumed = (*first.assumed, *(a for a in second.assumed if a not in first.assumed))
    return Rewrite(
        second.graph,
        trace,
        first.left,
        assumed,
        frozenset(t for t in first.internal | second.internal if t in second.graph.tensors),
        extras,
        _tables((*first.tables, *second.tables)),
        (*first.steps, *second.steps),
        _kept(first, second),
    )


def _kept(first: Rewrite, second: Rewrite) -> dict[str, tuple[int, ...]]:
    """Which of the original's channels are left of tensors after both."""
    found = {name: places for name, places in first.kept.items() if name in second.graph.tensors}
    for name, places in second.kept.items():
        found[name] = tuple(found[name][i] for i in places) if name in found else places
    return found


def _joined(first: Rewrite, later: Origin) -> Origin:
    """Where a node comes from, seen from before both rewrites."""
    earlier = first.trace[later.node]
    if later.scheme == "dense":
        return earlier
    if earlier.scheme == "dense":
        return replace(later, node=earlier.node)
    exactness = max(earlier.exactness, later.exactness)
    return Origin(earlier.node, f"{earlier.scheme}+{later.scheme}", exactness)


def _as_exact_as_its_parts(trace: dict[str, Origin], together: bool) -> dict[str, Origin]:
    """A layer is as exact as the least exact of its nodes; so are all if they lost channels together."""
    worst: dict[str, str] = {}
    for origin in trace.values():
        if origin.scheme != "dense":
            name = "" if together else origin.node
            worst[name] = max(worst.get(name, "E1"), origin.exactness)
    if together and worst.get("") in ("E1", "E2"):
        return trace
    return {
        name: origin
        if origin.scheme == "dense"
        else replace(origin, exactness=worst["" if together else origin.node])
        for name, origin in trace.items()
    }


def _tables(tables: Iterable[Table]) -> tuple[Table, ...]:
    by_name: dict[str, Table] = {}
    for table in tables:
        if by_name.setdefault(table.name, table) != table:
            raise SchemeError(f"two different shared tables are called {table.name!r}")
    return tuple(by_name.values())


def own_arrays(recipe: Recipe, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights of a block by their names without the layer's: ``weight``, ``part.weight``."""
    return {
        name[len(recipe.node) + 1 :]: array
        for name, array in weights.items()
        if name.rpartition(".")[0] in recipe.parts
    }


def tied_weights(rewrite: Rewrite, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights of the rewritten network with those that follow from others made to."""
    found = dict(weights)
    for step in rewrite.steps:
        for recipe in step:
            if recipe.tie is not None:
                made = recipe.tie(own_arrays(recipe, found))
                found.update((f"{recipe.node}.{key}", array) for key, array in made.items())
    return found


def settled_weights(rewrite: Rewrite, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return weights of the rewritten network that obey the rules of their layers.

    Where a layer is one node before and after (E2: its weights are generated, or have few values), names
    and shapes do not tell whose weights a file holds: they are derived, which changes nothing in weights
    that obey the rule already.
    """
    found = dict(weights)
    for step in rewrite.steps:
        for recipe in step:
            if recipe.exactness == "E2" and recipe.derive is not None and recipe.parts == (recipe.node,):
                made = recipe.derive(own_arrays(recipe, found))
                found.update((f"{recipe.node}.{key}", array) for key, array in made.items())
    return found


def underivable(rewrite: Rewrite) -> tuple[str, ...]:
    """Return the layers whose new weights do not follow from their old ones."""
    return tuple(recipe.node for step in rewrite.steps for recipe in step if recipe.derive is None)


def derived_weights(
    rewrite: Rewrite, weights: Mapping[str, Array], *, strict: bool = True
) -> dict[str, Array]:
    """Return the weights of the rewritten network that follow from those of the original.

    Parameters
    ----------
    rewrite : Rewrite
    weights : mapping of str to array
    strict : bool
        Whether a layer without a rule is an error; else its weights are left out, and so are those of
        layers that equal no dense one.

    Raises
    ------
    WeightsError
        If some layer has no rule for them.
    """
    found = dict(weights)
    apart = {name for name, origin in rewrite.trace.items() if origin.exactness not in ("E1", "E2")}
    for step in rewrite.steps:
        for recipe in step:
            if recipe.derive is None and strict:
                raise WeightsError(
                    f"layer {recipe.node!r}: no rule makes its weights from dense ones; it needs weights "
                    "trained in this form"
                )
            old = [name for name in found if name.rpartition(".")[0] == recipe.node]
            own = {name[len(recipe.node) + 1 :]: found.pop(name) for name in old}
            if recipe.derive is None or not own or (not strict and recipe.node in apart):
                continue
            made = recipe.derive(own)
            found.update((f"{recipe.node}.{key}", array) for key, array in made.items())
    return found


def equivalent_weights(rewrite: Rewrite, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return weights of the original network with which it computes what the rewritten one does.

    Layers that equal no dense one (E3, E4) keep their own weights under their own names.
    """
    apart = {name for name, origin in rewrite.trace.items() if origin.exactness not in ("E1", "E2")}
    found = dict(weights)
    for step in reversed(rewrite.steps):
        for recipe in reversed(step):
            if recipe.equivalent is None or recipe.node in apart:
                continue
            own = own_arrays(recipe, found)
            made = recipe.equivalent(own)
            for key in own:
                del found[f"{recipe.node}.{key}"]
            found.update((f"{recipe.node}.{key}", array) for key, array in made.items())
    return found
