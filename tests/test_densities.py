"""Activation densities: options, mappings, files, and whatever is wrong with them."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.densities import SCHEMA, Zeros, activations_schema, apply_zeros, describe, read_zeros
from energysim.errors import DensityError
from energysim.graph import GraphBuilder, LayerGraph

HALF = Fraction(1, 2)


def written(folder: Path, content: Any, name: str = "zeros.json") -> str:
    """Write a file, text as it is and anything else as JSON; return its path."""
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def file_of(folder: Path, tensors: Any) -> str:
    return written(folder, {"schema": SCHEMA, "tensors": tensors})


def densities(graph: LayerGraph, given_zeros: Any) -> dict[str, Fraction]:
    """Zero fractions as they are known after all, of the tensors that hold any."""
    changed = apply_zeros(graph, read_zeros(given_zeros))
    return {name: 1 - t.density for name, t in changed.tensors.items() if t.density != 1}


@pytest.mark.parametrize(
    "given_zeros", [0.1, "0.1", " 0.1 ", Fraction(1, 10), Decimal("0.1"), "*=0.1", "1e-1"]
)
def test_a_constant_is_every_tensor_but_the_input(toy: LayerGraph, given_zeros: Any) -> None:
    names = {"conv", "relu", "pool", "flat", "fc"}
    assert densities(toy, given_zeros) == dict.fromkeys(names, Fraction(1, 10))


@pytest.mark.parametrize("given_zeros", ["relu=0.5", {"relu": 0.5}, {"relu": {"zero_fraction": 0.5}}])
def test_one_tensor(toy: LayerGraph, given_zeros: Any) -> None:
    assert densities(toy, given_zeros) == {"relu": HALF}


def test_input_can_be_named(toy: LayerGraph) -> None:
    assert densities(toy, "input=0.5") == {"input": HALF}


def test_globs_and_the_first_match_wins(toy: LayerGraph) -> None:
    found = densities(toy, "relu=0.25,[rp]*=0.5")
    assert found == {"relu": Fraction(1, 4), "pool": HALF, "flat": HALF}


def test_a_view_passes_zeros_on_unless_it_is_named(toy: LayerGraph) -> None:
    assert densities(toy, "pool=0.5") == {"pool": HALF, "flat": HALF}
    assert densities(toy, "pool=0.5,flat=0") == {"pool": HALF}


def test_dropout_passes_zeros_on() -> None:
    b = GraphBuilder("drops", input=(4,))
    graph = b.build(b.dropout(b.linear(b.input, 3, name="fc"), name="drop"))
    assert densities(graph, "fc=0.5") == {"fc": HALF, "drop": HALF}


def test_a_file_names_tensors_exactly(toy: LayerGraph, tmp_path: Path) -> None:
    assert densities(toy, file_of(tmp_path, {"relu": 0.5, "fc": 1})) == {"relu": HALF, "fc": Fraction(1)}
    assert densities(toy, Path(file_of(tmp_path, {"relu": 0.5}))) == {"relu": HALF}
    with pytest.raises(DensityError, match=r"no tensor 'rel\*'"):
        densities(toy, file_of(tmp_path, {"rel*": 0.5}))


def test_numbers_of_a_file_are_what_is_written(toy: LayerGraph, tmp_path: Path) -> None:
    assert densities(toy, file_of(tmp_path, {"relu": 0.1})) == {"relu": Fraction(1, 10)}


def test_per_channel(toy: LayerGraph, tmp_path: Path) -> None:
    name = file_of(tmp_path, {"relu": {"per_channel": [0, 0.25, 0.5, 1]}})
    relu = apply_zeros(toy, read_zeros(name)).tensors["relu"]
    assert relu.density == 1 - Fraction(7, 16)
    assert relu.channel_density == (1, Fraction(3, 4), HALF, 0)
    both = {"relu": {"per_channel": [0, 0, 0, 0.1], "zero_fraction": 0.03}}
    assert densities(toy, file_of(tmp_path, both)) == {"relu": Fraction(3, 100)}


def test_description_does_not_depend_on_the_form(tmp_path: Path) -> None:
    assert describe(read_zeros("0.50")) == "0.5 of all but the input"
    assert describe(read_zeros({"a": 0.5, "b": 1})) == describe(read_zeros("a=0.5,b=1"))
    assert describe(read_zeros("a=0.5")) == "0.5 of a"
    assert describe(read_zeros("a=0.12345678")) == "0.123457 (6172839/50000000) of a"  # 2 x 6172839
    assert describe(read_zeros("a=0.4")) != describe(read_zeros("a=0.4000001"))
    many = {f"t{i}": 0.5 for i in range(9)}
    told = describe(read_zeros(file_of(tmp_path, many)))
    assert told == describe(read_zeros(many))
    assert told.startswith("9 names given, digest ")
    assert told != describe(read_zeros({**many, "t8": 0.25}))
    assert str(tmp_path) not in told


@pytest.mark.parametrize(
    ("given_zeros", "message"),
    [
        ("1.5", "activations: a zero fraction lies between 0 and 1, not '1.5'"),
        (-0.1, "lies between 0 and 1, not -0.1"),
        ("nan", "a number from 0 to 1, not 'nan'"),
        ("abc", "a number from 0 to 1, not 'abc'"),
        ("", "a number from 0 to 1, not ''"),
        (True, "a number from 0 to 1, not True"),
        ([0.5], "a number from 0 to 1"),
        ("1e-99999999", "a number from 0 to 1"),
        ("relu=", "write TENSOR=ZERO_FRACTION, not 'relu='"),
        ("=0.5", "write TENSOR=ZERO_FRACTION"),
        ("relu=0.5,pool", "write TENSOR=ZERO_FRACTION, not 'pool'"),
        ("relu=2", "activations of 'relu': a zero fraction lies between 0 and 1"),
        ("rellu=0.5", "'toy' has no tensor 'rellu'; did you mean 'relu'?"),
        ("zz*=0.5", "'toy' has no tensor 'zz*'"),
        ({"relu": {"zero_fractoin": 0.5}}, "tensor 'relu': unknown key 'zero_fractoin'; did you mean"),
        ({"relu": {}}, "it needs a zero_fraction or per_channel"),
        ({"relu": {"per_channel": []}}, "it needs a zero_fraction or per_channel"),
        ({"relu": {"per_channel": 0.5}}, "per_channel is a list of zero fractions"),
        ({"relu": {"per_channel": [0.5, "x"]}}, "tensor 'relu', channel 1: a zero fraction is a number"),
        ({"relu": {"per_channel": [0.5, 0.5]}}, "activations of 'relu': 2 channels are given, it has 4"),
        ({"relu": 10**5000}, "lies between 0 and 1, not an integer of many digits"),
    ],
)
def test_wrong_options(toy: LayerGraph, given_zeros: Any, message: str) -> None:
    with pytest.raises(DensityError) as caught:
        densities(toy, given_zeros)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ":1:1: Expecting value"),
        ('{"schema": "energysim-activations/1",\n "tensors": {"relu": }}', ":2:22: Expecting value"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        ("[]", ': it is {"schema": "energysim-activations/1", "tensors"'),
        ({"schema": SCHEMA}, ': it is {"schema"'),
        ({"schema": SCHEMA, "tensors": []}, ': it is {"schema"'),
        ({"schema": "energysim-activations/2", "tensors": {}}, "schema is 'energysim-activations/2'"),
        ({"tensors": {}}, "schema is None, this version reads 'energysim-activations/1'"),
        ({"schema": SCHEMA, "tensors": {}, "tensor": 1}, "unknown key 'tensor'; did you mean 'tensors'?"),
        ({"schema": SCHEMA, "tensors": {"relu": 1.5}}, "tensor 'relu': a zero fraction lies between"),
        ({"schema": SCHEMA, "tensors": {"relu": None}}, "tensor 'relu': a zero fraction is a number"),
        ({"schema": SCHEMA, "tensors": {"relu": True}}, "tensor 'relu': a zero fraction is a number"),
        ('{"schema": "energysim-activations/1", "tensors": {"a": 0, "a": 1}}', "key 'a' stands twice"),
        ('{"schema": "energysim-activations/1", "tensors": {"a": NaN}}', "not nan"),
        (
            '{"schema": "energysim-activations/1", "tensors": {"a": 1e999999999}}',
            "a zero fraction is a number",
        ),
        ("[" * 100_000, "zeros.json: "),
        ("9" * 100_000, "zeros.json: "),
    ],
)
def test_wrong_files_are_named_with_the_place(
    toy: LayerGraph, tmp_path: Path, content: Any, message: str
) -> None:
    name = written(tmp_path, content)
    with pytest.raises(DensityError) as caught:
        densities(toy, name)
    assert str(caught.value).startswith(f"{name}:")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.json", "no/such/file", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DensityError, match="cannot be read"):
        read_zeros(tmp_path / name)


def test_a_missing_file_given_as_text() -> None:
    with pytest.raises(DensityError, match=r"^nowhere\.json: cannot be read: No such file"):
        read_zeros("nowhere.json")


GOOD = json.dumps(
    {
        "schema": SCHEMA,
        "tensors": {"relu": 0.5, "pool": {"zero_fraction": 0.25, "per_channel": [0.1, 0.2, 0.3, 0.4]}},
    }
)


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=3)), min_size=1, max_size=4))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutated_file_raises_nothing_but_our_error(
    toy: LayerGraph, tmp_path: Path, edits: list[tuple[int, bytes]]
) -> None:
    data = GOOD.encode()
    for place, new in edits:
        data = data[:place] + new + data[place + 1 :]
    try:
        densities(toy, written(tmp_path, data))
    except DensityError as error:
        assert "zeros.json:" in str(error) or str(error).startswith("activations")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["zero_fraction", "per_channel", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["relu", "pool", "*", ""]), VALUES, max_size=3) | VALUES)
def test_any_value_raises_nothing_but_our_error(value: Any) -> None:
    b = GraphBuilder("toy", input=(2, 4, 4))
    graph = b.build(b.pool(b.relu(b.input, name="relu"), 2, name="pool"))
    with suppress(DensityError):
        apply_zeros(graph, read_zeros(value))


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_json_schema_agrees_with_the_reader(tmp_path: Path, value: Any) -> None:
    content = json.loads(json.dumps({"schema": SCHEMA, "tensors": {"relu": value}}))
    valid = jsonschema.Draft202012Validator(activations_schema()).is_valid(content)
    try:
        read_zeros(written(tmp_path, content))
    except DensityError:
        assert not valid
    else:
        assert valid


def test_the_json_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(activations_schema())
    jsonschema.validate(json.loads(GOOD), activations_schema())


def test_no_zeros_is_no_change(toy: LayerGraph) -> None:
    assert densities(toy, {}) == {}
    assert describe(()) == "none known"
    assert read_zeros({"relu": 0}) == (Zeros("relu", Fraction(0)),)


def test_a_name_given_twice() -> None:
    with pytest.raises(DensityError, match="'relu1' is given twice"):
        read_zeros("relu1=0.5,relu1=0.6")
