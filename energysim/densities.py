"""Activation densities: how many zeros the tensors between layers hold.

They are given as *zero fractions*: one number for every tensor but the inputs of the network,
``name=number`` pairs (names may be globs, the first match wins), a mapping of the same, or a JSON
file::

    {"schema": "energysim-activations/1",
     "tensors": {"features.relu1_1": 0.49,
                 "features.relu1_2": {"zero_fraction": 0.78, "per_channel": [0.5, ...]}}}

or exact counts as a profile measures them (see :mod:`energysim.measured`). A file names tensors
exactly. With ``per_channel`` (zero fractions along axis 1) alone, their mean is the zero
fraction. A view or a dropout passes its input's zeros on, unless it is named itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any

from energysim.errors import DensityError, near_miss
from energysim.graph import Dropout, LayerGraph, Tensor
from energysim.graph.shapes import text as shape_text
from energysim.measured import Measured, counts_schema, measured_schema, read_counts, read_measured
from energysim.units import exact_fraction

__all__ = ["SCHEMA", "Zeros", "ZerosSource", "activations_schema", "apply_zeros", "describe", "read_zeros"]

SCHEMA = "energysim-activations/1"

#: What zero fractions can be given as.
ZerosSource = str | float | Fraction | Decimal | os.PathLike[str] | Mapping[str, Any]

_KEYS = ("zero_fraction", "per_channel")
_SECTIONS = ("schema", "tensors", "measured")


@dataclass(frozen=True)
class Zeros:
    """Zero fractions of the tensors that a pattern names.

    Attributes
    ----------
    pattern : str
        A tensor's name or, unless ``exact``, a glob; ``"*"`` leaves out the inputs of the network.
    fraction : Fraction
    per_channel : tuple of Fraction
        Along axis 1, if given.
    exact : bool
        Whether the pattern is a name and nothing else.
    measured : Measured
        What a profile ran, if these are its numbers.
    """

    pattern: str
    fraction: Fraction
    per_channel: tuple[Fraction, ...] = ()
    exact: bool = False
    measured: Measured = field(default_factory=Measured)


def read_zeros(given: ZerosSource) -> tuple[Zeros, ...]:
    """Return the zero fractions of an option, a mapping or a file.

    Raises
    ------
    DensityError
        With the place and what would be accepted, for anything that cannot be used.
    """
    if isinstance(given, Mapping):
        return tuple(_zeros(str(name), f"tensor {name!r}", value) for name, value in given.items())
    if isinstance(given, os.PathLike):
        return _read_file(os.fspath(given))
    if not isinstance(given, str):
        return (Zeros("*", _fraction("activations", given)),)
    if given.endswith(".json") or "/" in given or "\\" in given:
        return _read_file(given)
    if "=" not in given:
        return (Zeros("*", _fraction("activations", given.strip())),)
    found: list[Zeros] = []
    for item in given.split(","):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (name and equals and value):
            raise DensityError(f"activations: write TENSOR=ZERO_FRACTION, not {item.strip()!r}")
        if any(name == zeros.pattern for zeros in found):
            raise DensityError(f"activations: {name!r} is given twice")
        found.append(Zeros(name, _fraction(f"activations of {name!r}", value)))
    return tuple(found)


def describe(zeros: tuple[Zeros, ...]) -> str:
    """Return in a few words what was given: equal words for equal zeros, whatever file they stood in."""
    ways = dict.fromkeys(str(z.measured) for z in zeros)
    measured = "".join(f", measured on {way}" for way in ways if way)
    if len(zeros) <= 3 and not any(z.per_channel for z in zeros):
        names = {"*": "all but the input"}
        told = [f"{_words(z.fraction)} of {names.get(z.pattern, z.pattern)}" for z in zeros]
        return f"{', '.join(told) or 'none known'}{measured}"
    text = ";".join(f"{z.pattern}={z.fraction},{','.join(map(str, z.per_channel))}" for z in zeros)
    return f"{len(zeros)} names given, digest {hashlib.sha256(text.encode()).hexdigest()[:12]}{measured}"


def _words(fraction: Fraction) -> str:
    short = f"{float(fraction):.6g}"
    return short if Fraction(short) == fraction else f"{short} ({fraction})"


def apply_zeros(graph: LayerGraph, zeros: tuple[Zeros, ...]) -> LayerGraph:
    """Return the graph with the densities of its tensors set.

    Raises
    ------
    DensityError
        Numbers that were measured on another network or input, a name that matches no tensor (the
        nearest is offered), or channels that do not fit.
    """
    shape = shape_text(graph.tensor(graph.inputs[0]).shape[1:])
    named: dict[str, Zeros] = {}
    for one in zeros:
        other = one.measured.elsewhere(graph.name, shape)
        if other is not None:
            raise DensityError(
                f"activations: they were measured on {other}, not on {graph.name} {shape}: profile that, or "
                "take the section measured out of the file"
            )
        matches = [name for name in graph.tensors if _matches(graph, one, name)]
        if not matches:
            hint = near_miss(one.pattern, graph.tensors)
            raise DensityError(f"activations: {graph.name!r} has no tensor {one.pattern!r}{hint}")
        named.update((name, one) for name in matches if name not in named)
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


def activations_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of an activation file, for editors."""
    fraction = {"type": "number", "minimum": 0, "maximum": 1, "description": "Share of elements that are 0."}
    channels = {"type": "array", "items": fraction, "description": "Along axis 1, one per channel."}
    detailed = {
        "type": "object",
        "properties": {"zero_fraction": fraction, "per_channel": channels},
        "anyOf": [
            {"required": ["zero_fraction"]},
            {"required": ["per_channel"], "properties": {"per_channel": {"minItems": 1}}},
        ],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Zero fractions of activation tensors",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA},
            "tensors": {
                "type": "object",
                "additionalProperties": {"anyOf": [fraction, detailed, counts_schema()]},
            },
            "measured": measured_schema(),
        },
        "required": ["schema", "tensors"],
        "additionalProperties": False,
    }


def _matches(graph: LayerGraph, zeros: Zeros, name: str) -> bool:
    if zeros.exact or name == zeros.pattern:
        return name == zeros.pattern
    if zeros.pattern == "*":
        return name not in graph.inputs
    return fnmatchcase(name, zeros.pattern)


def _inherited(graph: LayerGraph, tensor: Tensor, facts: Mapping[str, Tensor]) -> Tensor:
    """A tensor that is not named itself: a view of another holds that one's zeros."""
    if tensor.producer is None:
        return tensor
    node = graph.node(tensor.producer)
    if node.inputs and (node.op.category == "view" or isinstance(node.op, Dropout)):
        return replace(tensor, density=facts[node.inputs[0]].density)
    return tensor


def _fraction(where: str, value: Any) -> Fraction:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | Fraction):
            raise ValueError
        if isinstance(value, str | Decimal) and (
            len(str(value)) > 40 or abs(Decimal(value).adjusted()) > 400
        ):
            raise ValueError
        result = exact_fraction(value)
    except (ValueError, ArithmeticError):
        raise DensityError(f"{where}: a zero fraction is a number from 0 to 1, not {_short(value)}") from None
    if not 0 <= result <= 1:
        raise DensityError(f"{where}: a zero fraction lies between 0 and 1, not {_short(value)}")
    return result


def _short(value: Any) -> str:
    """A value as it fits into a message."""
    if isinstance(value, int) and abs(value) > 10**20:
        return "an integer of many digits"
    text = str(value) if isinstance(value, int | float | Decimal) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _zeros(name: str, where: str, value: Any, exact: bool = False) -> Zeros:
    if not isinstance(value, Mapping):
        return Zeros(name, _fraction(where, value), (), exact)
    if "zeros" in value or "elements" in value:
        return Zeros(name, *read_counts(where, value), exact)
    for key in value:
        if key not in _KEYS:
            raise DensityError(
                f"{where}: unknown key {_short(key)}{near_miss(str(key), _KEYS)} ({', '.join(_KEYS)})"
            )
    channels = value.get("per_channel", [])
    if not isinstance(channels, list | tuple):
        raise DensityError(f"{where}: per_channel is a list of zero fractions")
    parts = tuple(_fraction(f"{where}, channel {i}", c) for i, c in enumerate(channels))
    if "zero_fraction" in value:
        return Zeros(name, _fraction(where, value["zero_fraction"]), parts, exact)
    if not parts:
        raise DensityError(f"{where}: it needs a zero_fraction or per_channel")
    return Zeros(name, sum(parts, Fraction(0)) / len(parts), parts, exact)


def _read_file(name: str) -> tuple[Zeros, ...]:
    data = _parsed(name)
    if not isinstance(data, dict) or not isinstance(data.get("tensors"), dict):
        raise DensityError(f'{name}: it is {{"schema": "{SCHEMA}", "tensors": {{NAME: ZERO_FRACTION, ...}}}}')
    if data.get("schema") != SCHEMA:
        raise DensityError(f"{name}: schema is {_short(data.get('schema'))}, this version reads {SCHEMA!r}")
    for key in data:
        if key not in _SECTIONS:
            raise DensityError(
                f"{name}: unknown key {_short(key)}{near_miss(key, _SECTIONS)} ({', '.join(_SECTIONS)})"
            )
    measured = read_measured(name, data.get("measured", {}))
    return tuple(
        replace(_zeros(tensor, f"{name}: tensor {tensor!r}", value, exact=True), measured=measured)
        for tensor, value in data["tensors"].items()
    )


def _parsed(name: str) -> Any:
    """The content of a JSON file; numbers as they are written, no key twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise DensityError(f"{name}: key {key!r} stands twice")
            found[key] = value
        return found

    try:
        text = Path(name).read_text("utf-8")
        return json.loads(text, parse_float=Decimal, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise DensityError(f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise DensityError(f"{name}: is no text in UTF-8") from None
    except OSError as error:
        raise DensityError(f"{name}: cannot be read: {error.strerror or error}") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise DensityError(f"{name}: {error}") from None
