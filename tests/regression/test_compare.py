"""Comparisons by hand: order, sums, causes, and how they are told."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from energysim.errors import UsageError
from energysim.regression import Baseline, CheckResult, compare, parse_tolerance
from energysim.regression.machine import check_json, github_annotations, junit
from energysim.regression.text import check_text, diff_text
from energysim.regression.words import percent_text, value_text

from .small import flat

AJ = 10**12  # a microjoule


def baseline(**layers: dict[str, int]) -> Baseline:
    return Baseline(
        {
            "network": {"name": "net", "digest": "d"},
            "hardware": {"name": "soc"},
            "constants": {"mac.8": "1 pJ"},
        },
        {"dense": dict(layers)},
        engine={"cost": "a", "graph": "b"},
    )


OLD = baseline(a={"macs": 100, "mac.energy_aj": 5 * AJ, "dram.energy_aj": 9 * AJ}, b={"cycles": 7})
NEW = baseline(
    a={"macs": 120, "mac.energy_aj": 6 * AJ, "dram.energy_aj": 3 * AJ}, b={"cycles": 7, "dram.bits": 1}
)


def test_changes_in_order_of_energy_then_counts() -> None:
    found = compare(OLD, NEW)
    told = [(c.layer, c.level, c.quantity, c.old, c.new, c.percent) for c in found.moved]
    assert told == [
        ("a", "dram", "energy_aj", 9 * AJ, 3 * AJ, pytest.approx(-66.667, abs=1e-3)),
        ("a", "mac", "energy_aj", 5 * AJ, 6 * AJ, 20.0),
        ("a", "", "macs", 100, 120, 20.0),
        ("b", "dram", "bits", 0, 1, None),
    ]
    assert found.failing == found.moved
    (total,) = found.totals
    assert (total.old, total.new) == (14 * AJ, 9 * AJ)
    assert not found.passed


def test_a_layer_called_total_is_a_layer() -> None:
    """It counts as any other, and beside the sum over layers; a tolerance of ``total`` is for both."""
    old, new = baseline(total={"dram.energy_aj": 10**9}), baseline(total={"dram.energy_aj": 2 * 10**9})
    found = compare(old, new)
    assert not found.passed
    assert [(c.layer, c.column, c.whole) for c in found.failing] == [("total", "dram.energy_aj", False)]
    assert len(found.totals) == 1
    assert not compare(old, new, [parse_tolerance("total:energy_aj=-any..+any")]).passed
    assert compare(old, new, [parse_tolerance("total:*energy_aj=-any..+any")]).passed


def test_equal_baselines() -> None:
    found = compare(OLD, OLD)
    assert found.passed
    assert (found.changes, found.cause, found.engine) == ((), "", ())


def test_sums_fail_only_where_a_tolerance_names_them() -> None:
    loose = [parse_tolerance("[ab]:*=-any..+any")]
    assert compare(OLD, NEW, loose).passed
    tight = [*loose, parse_tolerance("total:energy_aj=-10%..+0")]
    found = compare(OLD, NEW, tight)
    assert [(c.layer, c.column) for c in found.failing] == [("total", "energy_aj")]


@pytest.mark.parametrize(
    ("constants", "engine", "cause"),
    [
        ("1 pJ", {"cost": "a", "graph": "b"}, "engine"),
        ("1 pJ", {"cost": "x", "graph": "b"}, "engine"),
        ("2 pJ", {"cost": "a", "graph": "b"}, "inputs"),
        ("2 pJ", {"cost": "a", "graph": "x"}, "inputs and engine"),
        ("2 pJ", {}, "inputs"),
    ],
)
def test_causes(constants: str, engine: dict[str, str], cause: str) -> None:
    new = Baseline({**NEW.inputs, "constants": {"mac.8": constants}}, NEW.table, engine=engine)
    found = compare(OLD, new)
    assert found.cause == cause
    assert [str(change) for change in found.inputs] == (["mac.8: 1 pJ -> 2 pJ"] if "2" in constants else [])


def test_reports_do_not_record_all_of_a_network() -> None:
    """A dilation is in no report: with the same setting it may be that, or the engine."""
    inputs = {**OLD.inputs, "network": {"name": "net"}}
    found = compare(Baseline(inputs, OLD.table), Baseline(inputs, NEW.table))
    assert found.cause == "unknown"
    text = flat(diff_text(found, ("a", "b")))
    assert "a against b: 4 numbers moved in 2 layers a net on soc" in text
    assert "or something of the network that a report does not record" in text
    engine = compare(
        Baseline(inputs, OLD.table, engine={"cost": "x"}), Baseline(inputs, NEW.table, engine={"cost": "y"})
    )
    assert engine.cause == "engine"
    other = Baseline({**inputs, "constants": {"mac.8": "2 pJ"}}, NEW.table)
    assert compare(Baseline(inputs, OLD.table), other).cause == "inputs"


def test_inputs_that_only_one_of_the_two_records() -> None:
    """A digest that the other did not take, and a rule that is newer, are no change; a constant is."""
    inputs = {
        **OLD.inputs,
        "network": {"name": "net"},
        "rules": {"new": "yes"},
        "constants": {"mac.8": "1 pJ", "mac.16": "3 pJ"},
    }
    found = compare(OLD, Baseline(inputs, OLD.table))
    assert [str(change) for change in found.inputs] == ["mac.16: nothing -> 3 pJ"]


def test_schemes_that_come_and_go() -> None:
    more = Baseline(OLD.inputs, {**OLD.table, "s": {}})
    assert compare(OLD, more).schemes_new == ("s",)
    assert compare(more, OLD).schemes_gone == ("s",)
    assert not compare(OLD, more).passed
    assert "schemes gone: s" in diff_text(compare(more, OLD), ("a", "b"))


def test_nothing_in_common() -> None:
    with pytest.raises(UsageError, match="nothing to compare: net on soc has dense, net on soc has s"):
        compare(OLD, Baseline(OLD.inputs, {"s": {}}))
    with pytest.raises(UsageError, match="have no layer in common"):
        compare(OLD, baseline(other={"macs": 1}))


def test_numbers_in_words() -> None:
    assert value_text("dram.energy_aj", 1_234_567_890_123_456) == "1.234568 mJ"
    assert value_text("macs", 1234567) == "1,234,567"
    changes = compare(OLD, NEW).moved
    assert [percent_text(change) for change in changes] == ["-66.7 %", "+20 %", "+20 %", "new"]
    tiny = compare(baseline(a={"macs": 10**9}), baseline(a={"macs": 10**9 + 1})).moved[0]
    assert percent_text(tiny) == "+0.0000001 %"
    gone = compare(baseline(a={"macs": 1}), baseline(a={})).moved[0]
    assert percent_text(gone) == "gone"


@pytest.mark.parametrize(("now", "told"), [(-(10**400), "-1.8e+308 %"), (10**20, "+1e+22 %")])
def test_changes_beyond_measure(now: int, told: str) -> None:
    """Of a file that somebody edited; a float holds no more than 1.8e308."""
    change = compare(baseline(a={"macs": 1}), baseline(a={"macs": now})).moved[0]
    assert percent_text(change) == told
    assert math.isfinite(float(change.percent or math.nan))


def results(*passing: bool) -> list[CheckResult]:
    return [
        CheckResult(Path(f"dir/b{number}.json"), compare(OLD, OLD if fine else NEW))
        for number, fine in enumerate(passing)
    ]


ERROR = CheckResult(Path("x:y,z.json"), None, 'x:y,z.json: no\n"100%" <baseline> \x00')


def test_page() -> None:
    text = check_text([*results(True, False), ERROR])
    assert text.startswith("3 baselines checked: 1 holds, 1 moved, 1 cannot be checked\n")
    assert "dir/b0.json  net on soc: no number moved" in text
    row = next(line for line in text.splitlines() if " dram " in line)
    assert row.split() == ["dense", "a", "dram", "energy", "9", "uJ", "3", "uJ", "-66.7", "%"]
    assert "whole network: dense: total energy 14 uJ -> 9 uJ (-35.7 %)" in flat(text)
    assert "if this is meant: pytest --energy-update" in flat(text)  # no recipe: a test made it
    short = flat(check_text(results(False), top=1))
    assert "3 more changes: --top 4 shows all" in short
    assert " mac " not in short
    markdown = check_text(results(False), markdown=True)
    assert "| dense | a | dram | energy | 9 uJ | 3 uJ | -66.7 % |" in markdown


def test_of_many_baselines_those_are_listed_that_moved() -> None:
    some = check_text(results(*[True] * 12))
    assert some.count("no number moved") == 12
    many = check_text(results(*[True] * 7, *[False] * 7, True))
    assert many.startswith("15 baselines checked: 8 hold, 7 moved")
    assert "no number moved" not in many
    assert many.count("4 numbers moved in 2 layers") == 7
    assert many.count(" dram ") == 2 * 5  # a table of energies and bits for the first five
    assert "2 more: check one alone to see what moved in it" in flat(many)


def test_what_fails_is_told_before_what_only_has_other_inputs() -> None:
    inputs = {**OLD.inputs, "settings": {"objective": "edp"}}
    other = CheckResult(Path("a.json"), compare(OLD, Baseline(inputs, OLD.table)))
    assert other.passed
    told = flat(check_text([other] * 6 + results(False)))
    assert "dir/b0.json: whole network: dense: total energy 14 uJ -> 9 uJ" in told
    assert told.index("whole network") < told.index("input changed")
    assert "2 more: check one alone" in told


def test_moves_within_a_tolerance_are_told_without_a_table() -> None:
    found = compare(OLD, NEW, [parse_tolerance("*=-any..+any")])
    text = flat(check_text([CheckResult(Path("b.json"), found)], top=1))
    assert "4 numbers moved, all within tolerance: the engine changed" in text
    assert "more changes" not in text
    assert "whole network: dense: total energy 14 uJ -> 9 uJ (-35.7 %)" in text


def test_json() -> None:
    data = json.loads(check_json([*results(True, False), ERROR]))
    assert (data["schema"], data["passed"]) == ("energysim-check/1", False)
    assert [entry["passed"] for entry in data["baselines"]] == [True, False, False]
    assert data["baselines"][1]["changes"][0] == {
        "scheme": "dense",
        "layer": "a",
        "level": "dram",
        "quantity": "energy_aj",
        "old": 9 * AJ,
        "new": 3 * AJ,
        "percent": pytest.approx(-66.667, abs=1e-3),
        "allowed": False,
    }
    assert data["baselines"][2]["error"] == ERROR.error


def test_junit() -> None:
    suite = ET.fromstring(junit([*results(True, False), ERROR]))[0]
    assert suite.attrib == {"name": "energysim check", "tests": "3", "failures": "1", "errors": "1"}
    fine, failed, broken = suite
    assert (fine.get("name"), len(fine)) == ("dir/b0.json", 0)
    assert failed[0].tag == "failure"
    assert failed[0].get("message") == "4 numbers moved in 2 layers: the engine changed"
    assert "dense: a dram energy 9 uJ -> 3 uJ (-66.7 %)" in (failed[0].text or "")
    assert broken[0].tag == "error"
    assert (broken[0].get("message") or "").endswith('"100%" <baseline> ?')


def test_github_annotations() -> None:
    """At most nine and a summary; commands are escaped as GitHub's toolkit does it."""
    many = [ERROR, *results(*([False] * 6))]
    lines = github_annotations(many).splitlines()
    assert len(lines) == 10
    assert all(re.fullmatch(r"::error (file=[^:]*,)?title=[^:,]*::.*", line) for line in lines)
    assert lines[0] == (
        '::error file=x%3Ay%2Cz.json,title=energysim check::x:y,z.json: no%0A"100%25" <baseline> \x00'
    )
    # In turn from each baseline, the largest first.
    assert [line.partition("file=")[2].partition(",")[0] for line in lines[1:8]] == [
        *(f"dir/b{n}.json" for n in range(6)),
        "dir/b0.json",
    ]
    assert lines[-1].startswith(
        "::error title=energysim check::7 baselines checked: 0 hold, 6 moved, 1 cannot"
    )
    assert github_annotations(results(True)) == (
        "::notice title=energysim check::1 baseline checked: 1 holds\n"
    )


def test_the_same_change_in_every_scheme_is_told_once() -> None:
    def both(pj: int) -> Baseline:
        cells = {"a": {"dram.energy_aj": pj * AJ}}
        return Baseline(OLD.inputs, {"dense": cells, "s": cells, "t": {"a": {"dram.energy_aj": 5 * AJ}}})

    text = github_annotations([CheckResult(Path("b.json"), compare(both(5), both(6)))])
    assert text.count("::error file") == 1
    assert "dense, s: a dram energy 5 uJ -> 6 uJ (+20 %25)" in text
    third = Baseline(OLD.inputs, {**both(6).table, "t": {"a": {"dram.energy_aj": 6 * AJ}}})
    assert "every scheme: a dram energy" in github_annotations(
        [CheckResult(Path("b"), compare(both(5), third))]
    )
