"""The JSON schema accepts what loads, and rejects typos."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from energysim.hardware import hardware_names, hardware_schema
from energysim.hardware.spec_help import KEYS, RECORDS
from energysim.hardware.yaml_nodes import plain
from energysim.hardware.yaml_reader import read_yaml

from .base import BASE, bent

SPECS = Path(__file__).parents[2] / "hwspecs"
VALIDATOR = Draft202012Validator(hardware_schema())


def content(text: str) -> Any:
    def floats(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: floats(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [floats(inner) for inner in value]
        return float(value) if isinstance(value, Decimal) else value

    tree, problems = read_yaml(text, "x.yaml")
    assert not problems
    return floats(plain(tree))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(hardware_schema())


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_specifications_fit(path: Path) -> None:
    VALIDATOR.validate(content(path.read_text()))
    assert path.name.removesuffix(".yaml") in hardware_names()


def test_the_base_fits() -> None:
    VALIDATOR.validate(content(BASE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    capacity: 64 KiB\n    word", "    capacty: 64 KiB\n    word"),
        ("    capacity: 64 KiB\n    word", "    capacity: 64 pJ\n    word"),
        ("clock: 100 MHz\n", ""),
        ("kind: measured", "kind: mesured"),
        ("value: 1.5 pJ", "value: 1.5"),
        ("value: 1.5 pJ", "value: -1.5 pJ"),
        ("pixels: 4", "pixels: 0"),
        ("schema: energysim-hardware/1", "schema: energysim-hardware/2"),
        ("stored_compressed: true", "stored_compressed: yes"),
        ("  8: {value: 1.5", "  eight: {value: 1.5"),
    ],
)
def test_mistakes_do_not_fit(old: str, new: str) -> None:
    assert not VALIDATOR.is_valid(content(bent(old, new)))


def test_what_extends_another_may_leave_things_out() -> None:
    head = {"schema": "energysim-hardware/1", "name": "x"}
    assert not VALIDATOR.is_valid(head)
    assert VALIDATOR.is_valid(head | {"extends": "edge45"})
    assert VALIDATOR.is_valid(head | {"extends": "edge45", "levels": {"buffer": {"capacity": "64 KiB"}}})
    assert VALIDATOR.is_valid(head | {"extends": "edge45", "levels": {"dram": {"bandwidth": None}}})
    assert not VALIDATOR.is_valid(head | {"extends": "edge45", "levels": {"bufer": {"capacity": "64 KiB"}}})
    assert not VALIDATOR.is_valid(head | {"extends": "edge45", "vector_op": {"value": "1 pJ"}})
    assert not VALIDATOR.is_valid({"name": "x", "extends": "edge45"})


def test_every_key_has_a_meaning_and_every_meaning_a_key() -> None:
    """What `energysim.hardware.spec_help` says, the schema carries; nothing is left over."""
    definitions = hardware_schema()["$defs"]
    whole = {name: record for name, record in definitions.items() if not name.endswith("Partial")}
    assert set(RECORDS) == set(KEYS) == set(whole)
    for name, record in whole.items():
        assert set(KEYS[name]) == set(record["properties"]), name
        for key, value in record["properties"].items():
            assert value["description"] == KEYS[name][key].strip(), (name, key)
            assert value["description"].endswith("."), (name, key)
