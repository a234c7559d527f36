"""Activation densities: how many zeros the tensors between layers hold.

They are given as *zero fractions*: one number for every tensor but the inputs of the network,
``name=number`` pairs (names may be globs), or a JSON file::

    {"schema": "energysim-activations/1",
     "tensors": {"features.relu1_1": 0.49,
                 "features.relu1_2": {"zero_fraction": 0.78, "per_channel": [0.5, ...]}}}

A file names tensors exactly; with ``per_channel`` (zero fractions along axis 1) alone, their mean is
the zero fraction. A view or a dropout passes its input's zeros on, unless it is named itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any

from energysim.errors import DensityError, near_miss
from energysim.graph import Dropout, LayerGraph, Tensor
from energysim.units import exact_fraction

__all__ = ["SCHEMA", "Zeros", "apply_zeros", "read_zeros"]

SCHEMA = "energysim-activations/1"


@dataclass(frozen=True)
class Zeros:
    """Zero fractions of one tensor."""

    fraction: Fraction
    per_channel: tuple[Fraction, ...] = ()


def read_zeros(text: str | float | Mapping[str, Any]) -> tuple[tuple[str, Zeros], ...]:
    """Return (glob, zeros) pairs of an option, a mapping or a file; ``"*"`` stands for all.

    Raises
    ------
    DensityError
        With the place and what would be accepted, for anything that cannot be used.
    """
    if isinstance(text, Mapping):
        return tuple((str(name), _zeros(f"tensor {name!r}", value)) for name, value in text.items())
    if not isinstance(text, str):
        return (("*", Zeros(_fraction("activations", text))),)
    if text.endswith(".json") or "/" in text or "\\" in text:
        return _read_file(text)
    if "=" not in text:
        return (("*", Zeros(_fraction("activations", text.strip()))),)
    pairs = []
    for item in text.split(","):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (name and equals and value):
            raise DensityError(f"activations: write TENSOR=ZERO_FRACTION, not {item.strip()!r}")
        pairs.append((name, Zeros(_fraction(f"activations of {name!r}", value))))
    return tuple(pairs)


def apply_zeros(graph: LayerGraph, pairs: tuple[tuple[str, Zeros], ...]) -> LayerGraph:
    """Return the graph with the densities of its tensors set.

    Raises
    ------
    DensityError
        A name that matches no tensor (the nearest is offered), or channels that do not fit.
    """
    named: dict[str, Zeros] = {}
    for glob, zeros in pairs:
        if glob == "*":
            matches = [t for t in graph.tensors if t not in graph.inputs]
        else:
            matches = [t for t in graph.tensors if t == glob or fnmatchcase(t, glob)]
        if not matches:
            raise DensityError(
                f"activations: {graph.name!r} has no tensor {glob!r}{near_miss(glob, graph.tensors)}"
            )
        named.update((name, zeros) for name in matches if name not in named)
    facts: dict[str, Tensor] = {}
    for name, tensor in graph.tensors.items():
        found = named.get(name)
        if found is None:
            facts[name] = _inherited(graph, tensor, facts)
            continue
        if found.per_channel and len(found.per_channel) != tensor.shape[1]:
            raise DensityError(
                f"activations of {name!r}: {len(found.per_channel)} channels are given, "
                f"it has {tensor.shape[1]}"
            )
        channels = tuple(1 - zero for zero in found.per_channel)
        facts[name] = replace(tensor, density=1 - found.fraction, channel_density=channels)
    return graph.with_tensors(facts)


def _inherited(graph: LayerGraph, tensor: Tensor, facts: Mapping[str, Tensor]) -> Tensor:
    if tensor.producer is None:
        return tensor
    node = graph.node(tensor.producer)
    if node.op.category == "view" or isinstance(node.op, Dropout):
        return replace(tensor, density=facts[node.inputs[0]].density)
    return tensor


def _fraction(where: str, value: Any) -> Fraction:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | Fraction):
            raise ValueError
        if isinstance(value, str | Decimal) and (len(str(value)) > 40 or abs(Decimal(value).adjusted()) > 40):
            raise ValueError
        result = exact_fraction(value)
    except (ValueError, ArithmeticError):
        raise DensityError(f"{where}: a zero fraction is a number from 0 to 1, not {value!r}") from None
    if not 0 <= result <= 1:
        raise DensityError(f"{where}: a zero fraction lies between 0 and 1, not {value}")
    return result


def _zeros(where: str, value: Any) -> Zeros:
    if not isinstance(value, Mapping):
        return Zeros(_fraction(where, value))
    unknown = [k for k in value if k not in ("zero_fraction", "per_channel")]
    if unknown:
        hint = near_miss(str(unknown[0]), ("zero_fraction", "per_channel"))
        raise DensityError(f"{where}: unknown key {unknown[0]!r}{hint} (zero_fraction, per_channel)")
    channels = value.get("per_channel", [])
    if not isinstance(channels, list | tuple):
        raise DensityError(f"{where}: per_channel is a list of zero fractions")
    parts = tuple(_fraction(f"{where}, channel {i}", c) for i, c in enumerate(channels))
    if "zero_fraction" in value:
        return Zeros(_fraction(where, value["zero_fraction"]), parts)
    if not parts:
        raise DensityError(f"{where}: it needs a zero_fraction or per_channel")
    return Zeros(sum(parts, Fraction(0)) / len(parts), parts)


def _read_file(name: str) -> tuple[tuple[str, Zeros], ...]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = (
            next((key for key in keys if keys.count(key) > 1), None) if len(keys) != len(set(keys)) else None
        )
        if twice is not None:
            raise DensityError(f"{name}: key {twice!r} stands twice")
        return dict(pairs)

    try:
        text = Path(name).read_text("utf-8")
        data = json.loads(text, parse_float=Decimal, object_pairs_hook=unique)
    except (OSError, UnicodeDecodeError) as error:
        raise DensityError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except json.JSONDecodeError as error:
        raise DensityError(f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DensityError(f"{name}: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("tensors"), dict):
        raise DensityError(f'{name}: it is {{"schema": "{SCHEMA}", "tensors": {{NAME: ZERO_FRACTION, ...}}}}')
    if data.get("schema") != SCHEMA:
        raise DensityError(f"{name}: schema is {data.get('schema')!r}, this version reads {SCHEMA!r}")
    unknown = [k for k in data if k not in ("schema", "tensors")]
    if unknown:
        raise DensityError(
            f"{name}: unknown key {unknown[0]!r}{near_miss(unknown[0], ('schema', 'tensors'))}"
        )
    return tuple(
        (tensor, _zeros(f"{name}: tensor {tensor!r}", value)) for tensor, value in data["tensors"].items()
    )
