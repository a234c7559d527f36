"""What was found in a layer, in words: "is X" only where X is exact, the number of exceptions otherwise."""

from __future__ import annotations

from energysim.inspection.blocks import Blocks, Channels
from energysim.inspection.groups import Groups
from energysim.inspection.layer import Layer
from energysim.inspection.periodic import Periodic
from energysim.inspection.values import Values

__all__ = ["findings", "in_periods", "value_words"]


def findings(layer: Layer) -> tuple[str, ...]:
    """Return what is to say about a layer's zeros, the most telling first."""
    if layer.structure in ("dense", "empty"):
        return ("has no zeros",) if layer.structure == "dense" else ("all weights are 0",)
    found: list[tuple[bool, str]] = []
    if layer.periodic is not None:
        words = _claim(in_periods(layer.periodic, layer.scheme), layer.periodic.outside, layer.periodic.zeros)
        found.append((layer.periodic.exact, words))
    if layer.blocks is not None:
        words = _claim(_in_blocks(layer.blocks, layer), layer.blocks.outside, layer.blocks.zeros)
        found.append((layer.blocks.exact, words))
    if layer.nm is not None:
        found.append((layer.nm.exact, _claim(_in_groups(layer.nm), layer.nm.outside, 0)))
    if layer.channels:
        found.append((True, _empty(layer.channels, layer)))
    low, high = layer.window_counts
    if low == high and layer.support.taps > 1 and layer.periodic is None:
        found.append(
            (True, f"every window keeps {low} of {layer.support.taps} positions, as psc:kss={low} draws them")
        )
    if not found:
        zeros = _count(layer.weights - layer.nonzeros, "zero")
        return (f"has {zeros} without any structure found",)
    return tuple(words for _, words in sorted(found, key=lambda item: not item[0]))


def _claim(what: str, outside: int, zeros: int) -> str:
    if not outside:
        inside = f", {_count(zeros, 'weight')} inside it happen{'s' if zeros == 1 else ''} to be 0"
        return f"fits {what}{inside}" if zeros else f"is {what}"
    exceptions = [f"{_count(outside, 'weight')} outside it"]
    if zeros:
        exceptions.append(f"{_count(zeros, 'zero')} inside it")
    return f"would be {what} but for {' and '.join(exceptions)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_periods(found: Periodic, scheme: str | None) -> str:
    """Return a periodic structure in words, with the scheme of that name if there is one."""
    details = [f"period {found.period}" if found.repeated else f"period {found.period}, seen less than twice"]
    if found.kss is not None:
        details.append(f"KSS {found.kss}")
    else:
        sizes = sorted({len(slot) for slot in found.slots})
        details.append(f"{sizes[0]} to {sizes[-1]} weights a slot" if len(sizes) > 1 else "dense slots only")
    if found.dense_slots:
        slots = ", ".join(map(str, found.dense_slots))
        details.append(f"dense slot{'' if len(found.dense_slots) == 1 else 's'} {slots}")
    details.append(f"slot {found.rule}")
    return f"{scheme or 'periodic'} ({'; '.join(details)})"


def _in_groups(found: Groups) -> str:
    return f"{found.kept}:{found.size} sparse along {found.order}"


def _in_blocks(found: Blocks, layer: Layer) -> str:
    matrix = layer.support.taps == 1
    kept = f"{found.kept:,} of {found.total:,} kept"
    if found.filters == found.channels == 1:
        return f"sparse in whole kernels ({kept})"
    of = "" if matrix else " of kernels"
    return f"sparse in {found.filters}x{found.channels} blocks{of} ({kept})"


def _empty(found: Channels, layer: Layer) -> str:
    parts = []
    if found.filters:
        parts.append(f"{len(found.filters):,} of {layer.support.shape[0]:,} filters")
    if found.channels:
        parts.append(f"{len(found.channels):,} of {layer.support.shape[1] * layer.groups:,} input channels")
    rest = "the rest is dense" if found.rest_dense else f"{_count(found.zeros, 'zero')} in the rest"
    return f"holds nothing in {' and '.join(parts)}; {rest}"


def value_words(found: Values) -> str:
    """Return what is to say about the values."""
    if found.kind in ("binary", "ternary", "one value"):
        return f"{found.kind} ({found.step:.6g})"
    if found.kind == "grid":
        return f"{found.distinct:,} values on a grid of {found.bits} bit (step {found.step:.6g})"
    if found.kind == "levels":
        return f"{found.distinct:,} values"
    return found.kind
