"""A file and all it extends become one validated specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import ValidationError

from energysim.errors import EnergysimError, SpecError, near_miss
from energysim.hardware.core import Hardware
from energysim.hardware.extending import merged
from energysim.hardware.names import located
from energysim.hardware.problems import problems_of
from energysim.hardware.quantities import show
from energysim.hardware.spec_model import SCHEMA, spec_schema, spec_validator
from energysim.hardware.yaml_nodes import Node, Position, Problem, plain, spec_error
from energysim.hardware.yaml_reader import read_yaml

__all__ = ["read_spec"]

_LARGEST = 256 * 1024  # bytes of a file: the shipped ones have less than ten thousand
_LONGEST_CHAIN = 16  # specifications that extend one another


def read_spec(path: Path) -> dict[str, Any]:
    """Return the validated specification of a file.

    Raises
    ------
    SpecError
        With all errors of the file and of those it extends.
    """
    tree, problems = _tree(path, [])
    content = plain(tree)
    sources = content.get("sources")
    known = set(sources) if isinstance(sources, dict) else set()
    form = "hierarchy" if content.get("cost_model") == "hierarchy" else "two-level"
    try:
        spec: dict[str, Any] = spec_validator(form).validate_python(content, context={"sources": known})
    except ValidationError as error:
        raise spec_error(problems + problems_of(error, tree, spec_schema(form))) from None
    if problems:
        raise spec_error(problems)
    return spec


def _tree(path: Path, chain: list[Path]) -> tuple[Node, list[Problem]]:
    """Return the positioned content of a file, laid over what it extends."""
    tree, problems = read_yaml(_text(path), str(path))
    if not isinstance(tree.value, dict):
        what = f"a hardware specification is a mapping of keys to values, got {show(tree.value)}"
        raise spec_error([Problem(tree.at, "", what)])
    schema = tree.value.get("schema")
    if schema is None or schema.value != SCHEMA:
        at = schema.at if schema else tree.at
        got = f"got {show(schema.value)}" if schema else "it is missing"
        # A file of another version is not worth any further message.
        raise spec_error([*problems, Problem(at, "schema", f"expected {SCHEMA}, {got}")])
    base = tree.value.pop("extends", None)
    if base is None or base.value is None:
        return tree, problems
    if "name" not in tree.value:
        problems.append(
            Problem(tree.at, "name", "missing: what extends another specification has its own name")
        )
    parent, inherited = _parent(base, path, [*chain, path.resolve()])
    whole, stale = merged(parent, tree)
    return whole, problems + inherited + stale


def _parent(base: Node, path: Path, chain: list[Path]) -> tuple[Node, list[Problem]]:
    name = base.value
    if not isinstance(name, str):
        raise _refused(base, f"expected the name of a specification or a relative file, got {show(name)}")
    try:
        found = located(name, path.parent)
    except SpecError:
        raise
    except EnergysimError as error:
        raise _refused(base, str(error)) from None
    if isinstance(found, Hardware):
        raise _refused(base, f"{show(name)} is no file but made by an installed package")
    try:
        target = found.resolve()
        missing = not found.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise _refused(base, f"{show(name)} is no usable path: {error}") from None
    if target in chain:
        circle = " -> ".join(p.name for p in [*chain[chain.index(target) :], target])
        raise _refused(base, f"specifications extend each other in a circle: {circle}")
    if len(chain) >= _LONGEST_CHAIN:
        raise _refused(base, f"more than {_LONGEST_CHAIN} specifications extend one another")
    if missing:
        raise _refused(base, f"no such file: {found}{_similar(found)}")
    return _tree(found, chain)


def _refused(base: Node, what: str) -> SpecError:
    return spec_error([Problem(base.at, "extends", what)])


def _text(path: Path) -> str:
    """Return the text of a file, or say what it is instead."""
    at = Position(str(path), 1, 1)
    try:
        if path.is_dir():
            raise SpecError(f"{path}: is a folder; expected a YAML file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file{_similar(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"{show(str(path))}: cannot be read: {reason}") from None
    if len(data) > _LARGEST:
        raise SpecError(f"{path}: larger than {_LARGEST // 1024} KiB; that is no hardware specification")
    if b"\0" in data:
        raise spec_error([Problem(at, "", "a binary file; expected YAML as UTF-8 text")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        what = f"not UTF-8 text (byte 0x{data[error.start]:02x}); expected YAML as UTF-8"
        raise spec_error([Problem(Position(str(path), line, column), "", what)]) from None


def _similar(path: Path) -> str:
    """Return the near miss among the YAML files beside a missing one."""
    try:
        return near_miss(path.name, [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")])
    except OSError:
        return ""
