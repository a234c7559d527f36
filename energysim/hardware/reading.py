"""A file and all it extends become one validated specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import ValidationError

from energysim.errors import EnergysimError, SpecError
from energysim.hardware.core import Hardware
from energysim.hardware.dram_chosen import chosen_device
from energysim.hardware.extending import merged
from energysim.hardware.file_text import file_text, similar_file
from energysim.hardware.names import located
from energysim.hardware.node_scaling import scaling_problems
from energysim.hardware.problems import problems_of
from energysim.hardware.quantities import show
from energysim.hardware.spec_model import SCHEMA, spec_schema, spec_validator
from energysim.hardware.yaml_nodes import Node, Problem, plain, spec_error
from energysim.hardware.yaml_reader import read_yaml

__all__ = ["read_spec"]

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
    problems += chosen_device(spec, tree) + scaling_problems(spec, tree)
    if problems:
        raise spec_error(problems)
    return spec


def _tree(path: Path, chain: list[Path]) -> tuple[Node, list[Problem]]:
    """Return the positioned content of a file, laid over what it extends."""
    tree, problems = read_yaml(file_text(path), str(path))
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
        raise _refused(base, f"no such file: {found}{similar_file(found)}")
    return _tree(found, chain)


def _refused(base: Node, what: str) -> SpecError:
    return spec_error([Problem(base.at, "extends", what)])
