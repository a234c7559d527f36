"""JSON: exact, the identity there and back, wrong files refused."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim import __version__
from energysim.errors import UsageError
from energysim.report import Report
from energysim.walker import estimate


def parsed(report: Report) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(report.to_json(), parse_float=Decimal)
    return data


def records(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@pytest.mark.parametrize("name", ["pair", "triple"])
def test_there_and_back(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name)
    again = Report.from_json(report.to_json())
    assert again == report
    assert again.to_json() == report.to_json()


def test_odd_values_there_and_back(pair: Report) -> None:
    run = pair.runs[0]
    layer = replace(run.layers[0], node='größe "\\\n|<&\u2028', utilisation=Fraction(1, 3), macs=2**200)
    access = replace(run.accesses[0], node=layer.node, energy_aj=10**40 + 1, bits=2**70)
    odd = replace(run, layers=(layer,), accesses=(access,), uncounted=("x (Y)",), left_dense=(("a", "b"),))
    report = Report(replace(pair.setup, clock_hz=Fraction(10, 3)), (odd,))
    assert Report.from_json(report.to_json()) == report
    assert report.to_json().isascii()


def test_sums_of_the_numbers_in_the_file_are_its_totals(pair: Report) -> None:
    for run, entry in zip(pair.runs, parsed(pair)["runs"], strict=True):
        layers, accesses = records(entry["layers"]), records(entry["accesses"])
        told = entry["totals"]
        for name in ("macs", "effective_macs", "weight_bits", "side_bits", "cycles"):
            assert told[name] == sum(row[name] for row in layers)
        assert told["energy_pj"] == sum(row["energy_pj"] for row in accesses)
        assert told["dram_bits"] == sum(row["bits"] for row in accesses if row["level"] == "dram")
        assert Fraction(told["energy_pj"]) * 10**6 == pair.totals(run.scheme).total_energy_aj


def test_energies_are_plain_decimals_with_six_places(pair: Report) -> None:
    for entry in json.loads(pair.to_json(), parse_float=str)["runs"]:
        for row in records(entry["accesses"]):
            whole, _, places = row["energy_pj"].partition(".")
            assert whole.isdigit()
            assert len(places) == 6


def test_contents(pair: Report) -> None:
    data = parsed(pair)
    assert list(data) == ["schema_version", "energysim", "setup", "runs", "skipped"]
    assert (data["schema_version"], data["energysim"]) == (2, __version__)
    assert [row["node"] for row in records(data["runs"][0]["layers"])] == [
        row.node for row in pair.runs[0].layers
    ]
    assert data["setup"]["activations"] == "0.5 of all but the input"


def bent(report: Report, *path: Any, value: Any = None, drop: bool = False) -> str:
    """The JSON text of a report with one place of it changed."""
    data = json.loads(report.to_json())
    place = data
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a report: "),
        ("[]", "not a report of schema version 2, but 'None'"),
        ("{}", "not a report of schema version 2, but 'None'"),
        ('{"schema_version": 1}', "not a report of schema version 2, but '1'"),
        ('{"schema_version": 3}', "but '3': use the newer energysim that wrote it, or estimate anew"),
        ('{"schema_version": 2}', "not a complete report: it has no 'setup'"),
        ("[" * 100_000, "not a report: "),
    ],
)
def test_what_is_no_report(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Report.from_json(text)
    assert message in str(caught.value)


ROW = ("runs", 0, "layers", "rows", 0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("setup", "batch"), "1", "batch of a Setup: a whole number is expected, not '1'"),
        (("setup", "clock_hz"), "1/0", "clock_hz of a Setup"),
        (("setup", "batch"), 0, "its batch and its clock must be more than nothing"),
        (("setup", "clock_hz"), 0, "its batch and its clock must be more than nothing"),
        (("setup", "datapaths", 0), "x", "a datapath is w=..,a=.. on .. bit, not 'x'"),
        (("runs", 1, "scheme"), "dense", "a scheme is there twice"),
        (("runs", 0, "layers", "rows", 1, 0), "features.conv1_1", "a layer of 'dense' is there twice"),
        (("setup", "colour"), 1, "its setup has an unknown key 'colour'"),
        (("runs",), [], "it has no run"),
        (("runs", 0, "layers", "columns", 0), "name", "columns"),
        ((*ROW, 0), None, "node of a LayerRow: a text is expected, not None"),
        ((*ROW, 9), True, "a whole number is expected, not True"),
        ((*ROW, 9), 1, "the totals of 'dense' are not those of its rows"),
        ((*ROW, 28), 1, "optimal of a LayerRow: true or false is expected, not 1"),
        (ROW, [], "not a complete report"),
        (("runs", 0, "accesses", "rows", 0, 0), "nobody", "an access of 'nobody', which is no layer"),
        (("runs", 0, "accesses", "rows", 0, 5), -5, "bits of a AccessRow: negative: -5"),
        (("runs", 0, "accesses", "rows", 0, 6), -0.5, "energy_pj of a AccessRow: negative: -0.5"),
        (("runs", 0, "accesses", "rows", 0, 6), "x", "energy_pj of a AccessRow"),
        (("runs", 0, "accesses", "rows", 0, 6), 1.0000001, "finer than 1 aJ"),
        (("runs", 0, "totals", "energy_pj"), 1, "the totals of 'dense' are not those of its rows"),
        (("runs", 0, "scheme"), 1, "a text is expected, not 1"),
    ],
)
def test_reports_that_were_tampered_with(
    pair: Report, path: tuple[Any, ...], value: Any, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Report.from_json(bent(pair, *path, value=value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "path", [("setup",), ("setup", "zeros"), ("runs", 0, "layers"), ("runs", 0, "totals")]
)
def test_reports_that_lack_something(pair: Report, path: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match=f"it has no '{path[-1]}'"):
        Report.from_json(bent(pair, *path, drop=True))


SMALL = estimate("vgg16-cifar10").to_json()


@given(st.integers(0, len(SMALL) - 1), st.sampled_from([*'0"[{,x-', "", "null", "1e99999"]))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_mutations_raise_nothing_but_our_error(place: int, new: str) -> None:
    try:
        report = Report.from_json(SMALL[:place] + new + SMALL[place + 1 :])
    except UsageError:
        return
    assert isinstance(report, Report)
