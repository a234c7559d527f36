"""Digests of what an estimate is made from: networks, hardware, schemes, mappings.

A value is written down as text that is equal exactly if the values are, and hashed. Fields that have
their default are left out, so that an operator or a specification that gains a field keeps its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from energysim.errors import UsageError
from energysim.graph import LayerGraph
from energysim.hardware import Hardware
from energysim.mapping.hierarchy.files import read_mappings

__all__ = ["canonical", "digest", "graph_digest", "hardware_digest", "mappings_digest"]

_LENGTH = 16  # hexadecimal digits: 64 bits tell two inputs apart

#: Of a specification: words about numbers, on which no number depends.
_WORDS = frozenset({"source", "note", "description"})


def digest(value: object, without: frozenset[str] = frozenset()) -> str:
    """Return a short digest of a value; fields named in ``without`` do not count."""
    return hashlib.sha256(canonical(value, without).encode()).hexdigest()[:_LENGTH]


def graph_digest(graph: LayerGraph) -> str:
    """Return a digest of a network: operators, shapes, how they hang together, widths and densities.

    Neither the network's name nor its weights count.
    """
    facts = {
        name: (tensor.bits, tensor.density, tensor.channel_density, tensor.packed)
        for name, tensor in graph.tensors.items()
    }
    plain = (None, Fraction(1), (), None)
    return digest(
        (
            tuple((name, graph.tensors[name].shape) for name in graph.inputs),
            tuple((node.name, node.op, node.inputs, node.outputs) for node in graph.nodes),
            tuple(graph.outputs),
            {name: fact for name, fact in facts.items() if fact != plain},
            graph.parameter_bits,
        )
    )


def hardware_digest(hardware: Hardware) -> str:
    """Return a digest of the numbers and names of a piece of hardware; sources and notes do not count."""
    return digest(hardware, _WORDS)


def mappings_digest(given: str | Path | Mapping[str, object]) -> str:
    """Return a digest of mappings by layer, or of those in a file: of what they say, however it is written.

    Raises
    ------
    EnergysimError
        If the file is none of mappings.
    """
    return digest(given if isinstance(given, Mapping) else read_mappings(given))


def canonical(value: object, without: frozenset[str] = frozenset()) -> str:
    """Return a text that is equal exactly if the values are, on any machine.

    Raises
    ------
    UsageError
        For an object of which nothing is known but its place in memory.
    """
    if value is None or isinstance(value, bool | int | str | bytes):
        return repr(value)
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, np.generic):
        return canonical(value.item(), without)
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value)
        return f"array({data.dtype.str},{data.shape},{hashlib.sha256(data.tobytes()).hexdigest()})"
    if isinstance(value, tuple | list):
        return f"({','.join(canonical(item, without) for item in value)})"
    if isinstance(value, set | frozenset):
        return f"{{{','.join(sorted(canonical(item, without) for item in value))}}}"
    if isinstance(value, Mapping):
        items = sorted((canonical(k, without), canonical(v, without)) for k, v in value.items())
        return f"{{{','.join(f'{k}:{v}' for k, v in items)}}}"
    kind = type(value).__name__
    if is_dataclass(value) and not isinstance(value, type):
        inner = [f"{f.name}={canonical(given, without)}" for f, given in _stated(value, without)]
        return f"{kind}({','.join(inner)})"
    own = getattr(value, "digest", None)
    if isinstance(own, str):  # a mask, which knows its own
        return f"{kind}({own})"
    if isinstance(value, type) or callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', kind)}"
    try:
        return f"{kind}({canonical(vars(value), without)})"
    except TypeError:
        raise UsageError(f"a {kind} cannot be recorded: nothing tells two of them apart") from None


def _stated(value: Any, without: frozenset[str]) -> list[tuple[Field[Any], object]]:
    """The fields that make a value what it is, without those at their default."""
    found = []
    for field in fields(value):
        if not field.compare or field.name in without:
            continue
        given = getattr(value, field.name)
        default = field.default
        if default is MISSING and field.default_factory is not MISSING:
            default = field.default_factory()
        if default is MISSING or type(given) is not type(default) or not _equal(given, default):
            found.append((field, given))
    return found


def _equal(given: Any, default: Any) -> bool:
    return bool(np.array_equal(given, default)) if isinstance(given, np.ndarray) else bool(given == default)
