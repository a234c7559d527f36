"""The inputs of an ONNX model: names, types, and lengths, those left open bound to numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energysim.errors import ModelError, UsageError, near_miss
from energysim.graph.shapes import Shape, text
from energysim.importers.onnx_file import OnnxFile
from energysim.importers.onnx_values import ELEMENTS, Element

__all__ = ["Input", "InputShapes", "bind", "read_inputs", "stated_shape"]

#: What a user gives: the shape of one sample, or whole shapes by the name of the input.
InputShapes = Sequence[int] | Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Input:
    """An input as the file states it: lengths are numbers, or the name of an open one (``?`` if nameless)."""

    name: str
    lengths: tuple[int | str, ...]
    element: Element

    @property
    def text(self) -> str:
        """The lengths in words."""
        return "x".join(map(str, self.lengths)) or "one number"


def read_inputs(file: OnnxFile, known: set[str]) -> list[Input]:
    """Return the inputs that no initialiser gives a value to.

    Raises
    ------
    ModelError
        Of another type than a tensor of numbers, or without a shape.
    """
    found: dict[str, Input] = {}
    for info in file.proto.graph.input:
        if info.name in known:
            continue
        if info.name in found:
            raise ModelError(f"{file.label}: two inputs are called {info.name!r}")
        kind = info.type.tensor_type
        element = ELEMENTS.get(kind.elem_type)
        if not info.type.HasField("tensor_type") or element is None:
            raise ModelError(f"{file.label}: input {info.name!r} is no tensor of numbers")
        if not kind.HasField("shape"):
            raise ModelError(f"{file.label}: input {info.name!r} has no shape")
        lengths = tuple(
            (d.dim_param or "?") if not d.HasField("dim_value") else d.dim_value for d in kind.shape.dim
        )
        found[info.name] = Input(info.name, lengths, element)
    return list(found.values())


def stated_shape(info: Any) -> tuple[Shape, int] | None:
    """Return shape and type that a ``ValueInfoProto`` states, if it states all lengths."""
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not kind.HasField("shape"):
        return None
    if not all(d.HasField("dim_value") for d in kind.shape.dim):
        return None
    return tuple(d.dim_value for d in kind.shape.dim), kind.elem_type


def bind(file: OnnxFile, inputs: Sequence[Input], given: InputShapes | None) -> dict[str, Shape]:
    """Return the shape of every input.

    A first length that is open is the batch, 1 if nothing else is given. Any other must be given.

    Raises
    ------
    ModelError
        Lengths that are open (all are listed) or no lengths.
    UsageError
        Shapes for inputs that do not exist, or that contradict the file.
    """
    wanted = _by_name(file, inputs, given)
    symbols: dict[str, int] = {}
    for each in inputs:
        for length, size in zip(each.lengths, wanted.get(each.name, ()), strict=False):
            if isinstance(length, str) and length != "?" and symbols.setdefault(length, size) != size:
                raise UsageError(
                    f"{file.label}: {length!r} would be {symbols[length]} and {size}: it is one length"
                )
    open_lengths: list[str] = []
    found: dict[str, Shape] = {}
    for each in inputs:
        shape: list[int] = []
        for axis, length in enumerate(each.lengths):
            if each.name in wanted:
                size = wanted[each.name][axis]
            elif isinstance(length, int):
                size = length
            elif length in symbols:
                size = symbols[length]
            elif axis == 0 and len(each.lengths) > 1:
                size = 1 if length == "?" else symbols.setdefault(length, 1)
            else:
                open_lengths.append(f"{length!r} of {each.name} ({each.text})")
                continue
            if size < 1:
                raise ModelError(f"{file.label}: input {each.name!r} has the shape {each.text}")
            shape.append(size)
        found[each.name] = tuple(shape)
    if open_lengths:
        example = ",".join(
            f"{i.name}="
            + "x".join(str(s) if isinstance(s, int) else _guess(a) for a, s in enumerate(i.lengths))
            for i in inputs
        )
        raise ModelError(
            f"{file.label}: lengths of its inputs are open: {', '.join(open_lengths)}; "
            f"give them, for example --input {example}"
        )
    return found


def _guess(axis: int) -> str:
    """A length for an example."""
    return "1" if axis == 0 else "224"


def _by_name(file: OnnxFile, inputs: Sequence[Input], given: InputShapes | None) -> dict[str, Shape]:
    """What the user gives, as whole shapes by name, checked against the file."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        wanted = {name: tuple(shape) for name, shape in given.items()}
    else:
        if len(inputs) != 1:
            listed = ", ".join(f"{i.name}={i.text}" for i in inputs)
            raise UsageError(
                f"{file.label}: it has {len(inputs)} inputs: give their shapes by name ({listed})"
            )
        first = inputs[0].lengths[0] if inputs[0].lengths else 1
        wanted = {inputs[0].name: (first if isinstance(first, int) else 1, *given)}
    names = {each.name: each for each in inputs}
    for name, shape in wanted.items():
        if name not in names:
            raise UsageError(
                f"{file.label}: it has no input {name!r}{near_miss(name, names) or _listed(inputs)}"
            )
        lengths = names[name].lengths
        fits = len(lengths) == len(shape) and all(
            a == b or isinstance(a, str) for a, b in zip(lengths, shape, strict=True)
        )
        if not fits or min(shape, default=1) < 1:
            raise UsageError(f"{file.label}: its input {name!r} is {names[name].text}, not {text(shape)}")
    return wanted


def _listed(inputs: Sequence[Input]) -> str:
    return f" (it has {', '.join(i.name for i in inputs) or 'none'})"
