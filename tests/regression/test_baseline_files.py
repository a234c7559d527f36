"""Baselines as files: exact there and back, deterministic, small; anything else is refused."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import needs_full_device

from energysim.errors import EnergysimError, UsageError
from energysim.hardware import load_hardware
from energysim.regression import Baseline, of_report, read_baseline, read_either, take, write_baseline
from energysim.regression.baseline_json import parse_baseline, render_baseline
from energysim.regression.counts import LAYER_COLUMNS, report_table
from energysim.regression.recipe import Recipe
from energysim.report import LayerRow, Report
from energysim.walker import estimate

from .small import NET, called

#: Integers of a row that are no cost: the size of the space searched.
NOT_KEPT = {"mappings", "unfused_dram_bits", "unfused_energy_aj"}


@pytest.fixture(scope="module")
def small() -> Baseline:
    """A baseline of a network of the zoo."""
    return take(Recipe("digits_cnn", "edge45", ("dense", "psconv:PSD4_P8", "shift")))


def test_there_and_back(small: Baseline) -> None:
    text = render_baseline(small)
    again = parse_baseline(text)
    assert again == small
    assert render_baseline(again) == text
    assert text.isascii()
    assert text.endswith("\n}\n")


def test_odd_values_there_and_back() -> None:
    table = {
        "größe": {"a": {"macs": 10**30, "dram.energy_aj": 1}, "b|\n": {}, "c": {"macs": -1}},
        "x": {"b|\n": {"macs": 1}, "only here": {"cycles": 2}},
    }
    odd = Baseline({"network": {"name": 'q"\\'}}, table, None, {}, "0")
    again = parse_baseline(render_baseline(odd))
    assert again == odd
    assert list(again.table["größe"]) == ["a", "b|\n", "c"]


def test_no_unit_costs_are_a_baseline_too() -> None:
    made = take(Recipe(hardware="eyeriss"))
    assert parse_baseline(render_baseline(made)) == made
    (rows,) = made.table.values()
    assert rows["levels.dram.read"] == {"unit_energy_aj": 2560 * 10**6}
    assert rows["levels.dram.bandwidth"] == {"value": 96, "per": 5}  # 19.2 bit per cycle
    constants = {c.path: c.value for c in load_hardware("eyeriss").constants}
    assert set(rows) == set(constants)
    for path, cells in rows.items():
        pj = Fraction(cells.get("unit_energy_aj", 0), 10**6)
        assert constants[path] == (pj or Fraction(cells.get("value", 0), cells.get("per", 1)))


def test_every_number_of_a_layer_is_kept() -> None:
    integers = {f.name for f in fields(LayerRow) if f.type == "int"}
    assert integers - NOT_KEPT == set(LAYER_COLUMNS)
    report = estimate("resnet18-cifar10", "psconv,shift,dsconv", fusion="split")
    table = report_table(report)
    for run in report.runs:
        assert list(table[run.scheme]) == [row.node for row in run.layers]
        for row in run.layers:
            cells = table[run.scheme][row.node]
            assert all(cells.get(name, 0) == getattr(row, name) for name in LAYER_COLUMNS)
            own = [a for a in run.accesses if a.node == row.node]
            for level in {a.level for a in own}:
                for quantity in ("elements", "bits", "energy_aj"):
                    total = sum(getattr(a, quantity) for a in own if a.level == level)
                    assert cells.get(f"{level}.{quantity}", 0) == total
            energy = sum(value for name, value in cells.items() if name.endswith(".energy_aj"))
            assert energy + cells.get("spilled_energy_aj", 0) == row.unfused_energy_aj
            dram = cells.get("dram.bits", 0) + cells.get("spilled_dram_bits", 0)
            assert dram == row.unfused_dram_bits


def test_the_format_by_hand() -> None:
    """Equal rows are one, zeros at the end go, a layer that some scheme lacks has null there."""
    table = {
        "dense": {"a": {"macs": 2, "cycles": 1}, "b": {"macs": 2, "cycles": 1}, "view": {}},
        "s": {"a": {"macs": 1, "cycles": 1}, "b": {"macs": 2, "cycles": 1}, "new": {"macs": 3}},
    }
    data = json.loads(render_baseline(Baseline({"network": {"name": "n"}}, table)))
    assert data["schemes"] == ["dense", "s"]
    assert data["columns"] == ["macs", "cycles"]  # five layers have macs, four have cycles
    assert data["rows"] == [[2, 1], [1, 1], [], [3]]
    assert data["layers"] == {"a": [0, 1], "b": 0, "view": [2, None], "new": [None, 3]}
    assert data["totals"] == [[4, 2], [6, 2]]


def test_baselines_hold_no_path_time_or_name_of_the_machine(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    assert (
        called("baseline", "create", str(tmp_path / "net.py"), "-o", str(tmp_path / "deep" / "b.json")) == 0
    )
    text = (tmp_path / "deep" / "b.json").read_text()
    assert str(tmp_path) not in text
    assert tmp_path.name not in text
    assert json.loads(text)["recipe"]["model"] == "../net.py"
    first = text
    assert called("baseline", "create", "net.py", "-o", "deep/b.json", "--force") == 0
    assert (tmp_path / "deep" / "b.json").read_text() == first


def bent(baseline: Baseline, change: Callable[[Any], object]) -> str:
    """The text of a baseline with something in it changed."""
    data = json.loads(render_baseline(baseline))
    change(data)
    return json.dumps(data)


REFUSED: list[tuple[Callable[[Any], object], str]] = [
    (lambda d: d.pop("rows"), "not a complete baseline: it has no 'rows'"),
    (lambda d: d.update(schema="energysim-baseline/2"), "of a newer schema, energysim-baseline/2; this"),
    (lambda d: d.update(schema="energysim-baseline/0"), "its schema is 'energysim-baseline/1', not"),
    (lambda d: d.update(schema=None), "not None"),
    (lambda d: d["rows"][0].__setitem__(0, 1), "the totals of 'dense' are not those of its rows"),
    (lambda d: d["rows"][0].__setitem__(0, "1"), "a whole number is expected, not '1'"),
    (lambda d: d["rows"][0].__setitem__(0, True), "a whole number is expected, not True"),
    (lambda d: d["rows"][0].__setitem__(0, None), "a whole number is expected, not None"),
    (lambda d: d["rows"].__setitem__(0, {}), "a row is a list of at most"),
    (lambda d: d["rows"][0].extend([0] * 99), "a row is a list of at most"),
    (lambda d: d.update(rows=3), "not a complete baseline"),
    (lambda d: d["layers"].update(more=10**6), "layer 'more' has no row 1000000"),
    (lambda d: d["layers"].update(more=-1), "layer 'more' has no row -1"),
    (lambda d: d["layers"].update(more="0"), "layer 'more' has no row '0'"),
    (lambda d: d["layers"].update(more=[0]), "layer 'more' has 1 rows, there are 3 schemes"),
    (lambda d: d.update(layers=[]), "layers is no object"),
    (lambda d: d["schemes"].append("dense"), "one of its schemes stands in it twice"),
    (lambda d: d["columns"].__setitem__(0, d["columns"][1]), "one of its columns stands in it twice"),
    (lambda d: d.update(schemes=[]), "schemes is a list of texts"),
    (lambda d: d["totals"].pop(), "it has no totals for each of its 3 schemes"),
    (lambda d: d["inputs"].update(network=1), "inputs.network is no object"),
    (lambda d: d["inputs"]["network"].update(name=1), "inputs.network.name: a text is expected, not 1"),
    (lambda d: d.update(recipe=[]), "its recipe is no object"),
    (lambda d: d["recipe"].update(modle="x"), "its recipe has an unknown key 'modle'; did you mean 'model'?"),
    (lambda d: d["recipe"].update(batch="2"), "its recipe: batch is a whole number, not '2'"),
    (lambda d: d["recipe"].update(strict=1), "its recipe: strict is true or false, not 1"),
    (lambda d: d["recipe"].update(bits=8), "its recipe: bits is a text, not 8"),
    (lambda d: d["recipe"].update(sparsity="x"), "its recipe: sparsity is a list of texts, not 'x'"),
    (lambda d: d["recipe"].update(input=[1, "2"]), "its recipe: input is a list of whole numbers"),
    (lambda d: d["inputs"].update({"a\nb": 1}), "inputs.a?b is no object, but 1"),
    (lambda d: d.update(made_with=1), "made_with: a text is expected, not 1"),
    (lambda d: d.update(engine={"cost": 1}), "engine.cost: a text is expected, not 1"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(small: Baseline, change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_baseline(bent(small, change), "b.json")
    assert str(caught.value).startswith("b.json: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rows": [', '"rows": [[NaN],', "NaN where a whole number is expected"),
        ('"rows": [', '"rows": [[Infinity],', "Infinity where a whole number is expected"),
        ('"rows": [', '"rows": [[1.5],', "1.5 where a whole number is expected"),
        ('"rows": [', '"rows": [[1e3],', "1e3 where a whole number is expected"),
        ('"layers": {', '"layers": {"features.conv1": 0,', "'features.conv1' stands in it twice"),
        ('"schemes": [', '"schemes": [], "schemes": [', "'schemes' stands in it twice"),
        ("}\n", "", "not a baseline: "),
        ('"rows": [', '"rows": [' + "[" * 10**5, "not a baseline: "),
        ('"rows": [', '"rows": [[' + "9" * 5000 + "],", "not a baseline: "),
    ],
    ids=lambda text: text[:30],
)
def test_text_that_is_refused(small: Baseline, old: str, new: str, message: str) -> None:
    text = render_baseline(small)
    assert old in text
    with pytest.raises(UsageError) as caught:
        parse_baseline(new.join(text.rsplit(old, 1)), "b.json")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{}", '{"a": 2}', "\x00"])
def test_what_is_no_baseline(text: str) -> None:
    with pytest.raises(UsageError, match=r"b\.json: not a baseline: "):
        parse_baseline(text, "b.json")


SMALL = render_baseline(take(Recipe("digits_cnn", "teaching", ("dense", "psconv:PSD4_P8"))))


@given(st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_mutations_raise_nothing_but_our_error(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SMALL) - 1))
    drop = data.draw(st.integers(0, 3))
    new = data.draw(
        st.sampled_from([*'0"[]{},:x-', "", "null", "NaN", "1e99999", "\\u0000", "true", '"a":1,'])
    )
    try:
        found = parse_baseline(SMALL[:place] + new + SMALL[place + drop :])
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert isinstance(found, Baseline)
    render_baseline(found)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=6,
    ),
    st.data(),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_other_values_raise_nothing_but_our_error(value: Any, data: st.DataObject) -> None:
    """Any value in the place of any other."""
    content = json.loads(SMALL)
    place, key = content, data.draw(st.sampled_from(sorted(content)))
    while data.draw(st.booleans()):
        inner = place[key]
        keys = (
            list(inner)
            if isinstance(inner, dict)
            else list(range(len(inner)))
            if isinstance(inner, list)
            else []
        )
        if not keys:
            break
        place, key = inner, data.draw(st.sampled_from(keys))
    place[key] = value
    try:
        assert isinstance(parse_baseline(json.dumps(content)), Baseline)
    except UsageError as error:
        assert "\n" not in str(error)


@given(
    st.dictionaries(
        st.sampled_from([f.name for f in fields(Recipe)]), st.text(max_size=8) | st.integers(-2, 9)
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_recipes_of_any_content_raise_nothing_but_our_error(given_: dict[str, Any]) -> None:
    try:
        recipe = Recipe.from_plain({"model": "digits_cnn", **given_})
        take(recipe.found_from(Path("nowhere"), "b.json"), engine=False)
    except (EnergysimError, ValueError) as error:
        assert str(error)


def test_a_report_with_a_layer_twice_is_refused(pair: Report) -> None:
    run = pair.runs[0]
    twice = replace(run, layers=(*run.layers, run.layers[0]))
    with pytest.raises(UsageError, match=r"holds the layer 'features.conv1_1' of 'dense' twice"):
        of_report(replace(pair, runs=(twice,)))
    with pytest.raises(UsageError, match=r"holds the scheme 'dense' twice"):
        of_report(replace(pair, runs=(run, run)))


def test_reports_and_baselines_are_told_apart(tmp_path: Path, pair: Report) -> None:
    path = tmp_path / "r.json"
    path.write_text(pair.to_json())
    assert read_either(path) == of_report(pair)
    with pytest.raises(UsageError, match=r"r\.json: a saved report, not a baseline: energysim diff compares"):
        read_baseline(path)
    write_baseline(of_report(pair), path)
    assert read_either(path) == of_report(pair)
    path.write_text("{")
    with pytest.raises(UsageError, match="neither a baseline nor a report"):
        read_either(path)
    path.write_text('{"schema_version": 99}')
    with pytest.raises(UsageError, match=r"r\.json: not a report of schema version"):
        read_either(path)
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read_either(path)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_either(tmp_path)


def test_written_only_if_it_changed(tmp_path: Path, small: Baseline) -> None:
    path = tmp_path / "new" / "b.json"
    assert write_baseline(small, path)
    before = path.stat().st_ino
    assert not write_baseline(small, path)
    assert path.stat().st_ino == before
    assert write_baseline(replace(small, made_with="x"), path)


def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it says so when it is written to or only when it is asked to put it on the disk."""
    monkeypatch.chdir(tmp_path)
    assert called("baseline", "create", "digits_cnn", "-o", "b.json") == 0
    old = Path("b.json").read_bytes()
    capsys.readouterr()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for arguments in (
        ("create", "digits_cnn", "-w", "eyeriss", "-o", "b.json", "--force"),
        ("create", "digits_cnn", "-o", "other.json"),
    ):
        assert called("baseline", *arguments) == 2
        told = capsys.readouterr()
        assert told.err.endswith(".json: cannot be written: No space left on device\n")
        assert [p.name for p in tmp_path.iterdir()] == ["b.json"]
        assert Path("b.json").read_bytes() == old


@needs_full_device
def test_a_device_that_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("baseline", "create", "digits_cnn", "-o", "/dev/full", "--force") == 2
    assert capsys.readouterr().err == "energysim: /dev/full: cannot be written: No space left on device\n"


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    for output in ("file/b.json", "/proc/none/b.json"):
        assert called("baseline", "create", "digits_cnn", "-o", output) == 2
        assert f"{output}: cannot be written: " in capsys.readouterr().err
    if os.geteuid():
        Path("locked").mkdir()
        Path("locked").chmod(0o500)
        assert called("baseline", "create", "digits_cnn", "-o", "locked/b.json") == 2
        assert "Permission denied" in capsys.readouterr().err
    else:  # root may write anywhere: what the operating system says of others
        opened = Path.open

        def denied(path: Path, mode: str = "r", *others: Any, **named: Any) -> Any:
            if mode.startswith("x"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return opened(path, mode, *others, **named)

        monkeypatch.setattr(Path, "open", denied)
        assert called("baseline", "create", "digits_cnn", "-o", "b.json") == 2
        assert capsys.readouterr().err == "energysim: b.json: cannot be written: Permission denied\n"
    assert not Path("b.json").exists()


def test_read(tmp_path: Path, small: Baseline) -> None:
    write_baseline(small, tmp_path / "b.json")
    assert read_baseline(tmp_path / "b.json") == small
    with pytest.raises(UsageError, match=r"none\.json: cannot be read: No such file"):
        read_baseline(tmp_path / "none.json")
