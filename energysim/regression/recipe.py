"""How to make a baseline anew: names, options, and files relative to the baseline's own folder."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from energysim.errors import UsageError, near_miss

__all__ = ["Recipe", "input_text"]

#: Option -> what it is called at the command line.
_FLAGS = {
    "hardware": "--hardware",
    "sparsity": "--sparsity",
    "input": "--input",
    "classes": "--classes",
    "batch": "--batch",
    "bits": "--bits",
    "activations": "--activations",
    "format_weights": "--format-weights",
    "format_activations": "--format-activations",
    "objective": "--objective",
    "rules": "--rules",
    "fusion": "--fuse",
    "cost_model": "--cost-model",
    "allow_unknown": "--allow-unknown",
    "weights": "--weights",
    "mapping": "--mapping",
    "strict": "--strict",
}

_WORDS = {
    "model": "model",
    "hardware": "hardware specification",
    "activations": "activation",
    "weights": "weight",
    "mapping": "mapping",
}


@dataclass(frozen=True)
class Recipe:
    """The arguments of an estimate as a file can hold them; see :func:`energysim.estimate`.

    Attributes
    ----------
    model : str
        A name of the zoo or a file; empty for the unit costs of the hardware.
    """

    model: str = ""
    hardware: str = "edge45"
    sparsity: tuple[str, ...] = ()
    input: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None
    classes: int | None = None
    batch: int | None = None
    bits: str | None = None
    activations: str | None = None
    format_weights: str | None = None
    format_activations: str | None = None
    objective: str = "energy"
    rules: str | None = None
    fusion: str = "epilogue"
    cost_model: str | None = None
    allow_unknown: bool = False
    weights: str | None = None
    mapping: str | None = None
    strict: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of an estimate."""
        names = [name for name in _FLAGS if name not in ("hardware", "sparsity")]
        return {name: getattr(self, name) for name in names}

    @property
    def files(self) -> dict[str, str]:
        """What is a file and no name or number, by option."""
        return {name: getattr(self, name) for name in _WORDS if _is_file(name, getattr(self, name))}

    def stored_in(self, folder: Path) -> Recipe:
        """Return the recipe for a baseline in a folder: files relative to it, no path of the machine.

        Raises
        ------
        UsageError
            If a file cannot be named from there, or a scheme names one by an absolute path.
        """
        for scheme in self.sparsity:
            if re.search(r"=\s*(/|~|[A-Za-z]:[\\/])", scheme):
                raise UsageError(
                    f"{scheme}: a baseline holds no absolute path: give the file relative to the folder "
                    "that energysim runs in"
                )
        return self._with_files(
            {name: _named(name, _relative(path, folder)) for name, path in self.files.items()}
        )

    def found_from(self, folder: Path, baseline: str) -> Recipe:
        """Return the recipe with its files as they are reached from here.

        Raises
        ------
        UsageError
            If one is not there; says how the baseline is made with another.
        """
        here = self.seen_from(folder)
        for name, text in here.files.items():
            path = Path(text)
            if not path.exists():
                command = here._with_files({name: "FILE"}).command(baseline)
                raise UsageError(
                    f"{baseline}: its {_WORDS[name]} file {path} is not there{_beside(path)}; "
                    f"if it was moved, make the baseline anew: {command} --force"
                )
        return here

    def seen_from(self, folder: Path) -> Recipe:
        """Return the recipe of a baseline in a folder with its files as they are named from here."""
        return self._with_files(
            {name: _named(name, os.path.normpath(folder / stored)) for name, stored in self.files.items()}
        )

    def _with_files(self, files: Mapping[str, Any]) -> Recipe:
        return replace(self, **files)

    def command(self, output: str) -> str:
        """Return the command line that creates the baseline."""
        words = ["energysim", "baseline", "create", *([self.model] if self.model else [])]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "model" or (value == field.default and field.name != "hardware"):
                continue
            words.append(_FLAGS[field.name])
            if field.name == "sparsity":
                words.append(value[0])
                for scheme in value[1:]:
                    words += [_FLAGS["sparsity"], scheme]
            elif value is not True:
                words.append(input_text(value) if field.name == "input" else str(value))
        return shlex.join([*words, "-o", output])

    def to_plain(self) -> dict[str, Any]:
        """Return what differs from the defaults, as plain values."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "hardware" or value != field.default:
                found[field.name] = _plain(value)
        return found

    @classmethod
    def from_plain(cls, given: Any) -> Recipe:
        """Return the recipe of :meth:`to_plain`; raise ValueError with what is wrong."""
        if not isinstance(given, dict):
            raise ValueError("its recipe is no object")
        known = {field.name: str(field.type) for field in fields(cls)}
        values = {}
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"its recipe has an unknown key {name!r:.40}{near_miss(str(name), known)}")
            values[name] = _read(name, known[name], value)
        return cls(**values)


def input_text(value: tuple[int, ...] | Mapping[str, tuple[int, ...]]) -> str:
    """Return a shape, or shapes by name, as the command line takes them."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in value.items())
    return "x".join(map(str, value))


def _is_file(option: str, value: str | None) -> bool:
    """Whether a text names a file, as the reader of that option decides it."""
    if not value:
        return False
    if option == "mapping":
        return True
    if option == "weights":
        return value != "random"
    suffixes = {"model": (".onnx", ".py"), "hardware": (".yaml", ".yml"), "activations": (".json",)}[option]
    named = value.lower() if option == "hardware" else value
    return named.endswith(suffixes) or "/" in value or "\\" in value


def _named(option: str, path: str) -> str:
    """A path that is taken for one: ``./soc``, where ``soc`` alone is a name."""
    return path if _is_file(option, path) else f"./{path}"


def _relative(path: str, folder: Path) -> str:
    try:
        found = os.path.relpath(Path(path).resolve(), folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"{path}: cannot be named relative to {folder}: {error}") from None
    return Path(found).as_posix()


def _beside(path: Path) -> str:
    try:
        return near_miss(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        return ""


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: list(shape) for name, shape in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _read(name: str, kind: str, value: Any) -> Any:
    """A value checked against the type of its field."""
    if name == "input":
        if isinstance(value, dict):
            return {key: _shape(item) for key, item in value.items()}
        return _shape(value)
    if kind.startswith("tuple[str"):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"its recipe: {name} is a list of texts, not {value!r:.40}")
        return tuple(value)
    wanted = {"str": str, "int": int, "bool": bool}[kind.partition(" ")[0]]
    if type(value) is not wanted:
        words = {str: "a text", int: "a whole number", bool: "true or false"}
        raise ValueError(f"its recipe: {name} is {words[wanted]}, not {value!r:.40}")
    return value


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise ValueError(
            f"its recipe: input is a list of whole numbers, or such lists by name, not {value!r:.40}"
        )
    return tuple(value)
