"""Reports and frames to files and back: equal, types included; what is none is refused."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import energysim as es
from energysim.curves import BufferPoint, curve_frame
from energysim.errors import UsageError
from energysim.report import Report


def frames(report: Report) -> dict[str, pd.DataFrame]:
    """A frame of every table."""
    found = {name: report.to_frame(name) for name in ("layers", "accesses", "levels", "tensors", "actions")}
    points = [BufferPoint("dense", 8, None, None, None), BufferPoint("dense", 16, 5, 6, 7)]
    return {
        **found,
        "comparison": report.compare(by="part"),
        "comparison by layer": report.compare(),
        "reports": es.compare(report, report, by="layer", names=["a", "b"]),
        "curve": curve_frame(points),
    }


TABLES = (
    "layers",
    "accesses",
    "levels",
    "tensors",
    "actions",
    "comparison",
    "comparison by layer",
    "reports",
)
TABLES += ("curve",)
SUFFIXES = (".csv", ".json", pytest.param(".parquet", id=".parquet"))


@pytest.fixture
def big(pair: Report) -> Report:
    """Counts past 64 bits, signed and unsigned, and odd texts."""
    run = pair.runs[0]
    first, second, *others = run.layers
    first = replace(first, macs=2**63, cycles=10**75, mapping='a,"b"\nc', bound="")
    return replace(pair, runs=(replace(run, layers=(first, replace(second, macs=1), *others)),))


def there_and_back(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    es.write_frame(frame, path)
    return es.read_frame(path)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_frame_there_and_back(pair: Report, tmp_path: Path, table: str, suffix: str) -> None:
    frame = frames(pair)[table]
    again = there_and_back(frame, tmp_path / f"frame{suffix}")
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert again.attrs == ({} if suffix == ".csv" else frame.attrs)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_counts_past_64_bits_there_and_back(big: Report, tmp_path: Path, suffix: str) -> None:
    frame = big.to_frame()
    again = there_and_back(frame, tmp_path / f"frame{suffix}")
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert again["macs"][0] == 2**63
    assert again["cycles"][0] == 10**75
    assert again["mapping"][0] == 'a,"b"\nc'


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_view_is_not_a_node_of_its_own(pair: Report, tmp_path: Path, suffix: str) -> None:
    again = there_and_back(pair.to_frame(), tmp_path / f"frame{suffix}")
    told = [row.folded_into for run in pair.runs for row in run.layers]
    assert "" in told
    assert None in told
    assert [None if pd.isna(value) else value for value in again["folded_into"]] == told


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_frame_without_rows(pair: Report, tmp_path: Path, suffix: str) -> None:
    empty = pair.to_frame("accesses").iloc[:0].reset_index(drop=True)
    pd.testing.assert_frame_equal(there_and_back(empty, tmp_path / f"frame{suffix}"), empty)


def test_the_csv_of_estimate_is_read(pair: Report, tmp_path: Path) -> None:
    pair.save(tmp_path / "layers.csv")
    pd.testing.assert_frame_equal(es.read_frame(tmp_path / "layers.csv"), pair.to_frame(), check_exact=True)


def test_json_holds_whole_numbers(big: Report, tmp_path: Path) -> None:
    es.write_frame(big.to_frame(), tmp_path / "a.json")
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["schema"] == "energysim-frame/1"
    assert data["table"] == "layers"
    assert data["rows"][0][data["columns"].index("macs")] == 2**63


def test_parquet_is_read_by_pandas_too(pair: Report, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    es.write_frame(pair.to_frame(), tmp_path / "a.parquet")
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert read["macs"].dtype == "int64"
    assert list(read["macs"]) == list(pair.to_frame()["macs"])


def test_parquet_without_its_extra(pair: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'energysim\[parquet\]'"):
        es.write_frame(pair.to_frame(), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"b.parquet: parquet needs the extra 'parquet'"):
        es.read_frame(tmp_path / "b.parquet")


def test_parquet_holds_76_digits(big: Report, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    run = big.runs[0]
    layers = (replace(run.layers[0], cycles=10**76), *run.layers[1:])
    frame = replace(big, runs=(replace(run, layers=layers),)).to_frame()
    with pytest.raises(UsageError, match="cycles has a number of more than 76 digits"):
        es.write_frame(frame, tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pair", "triple"])
def test_a_report_through_pickle(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name)
    again = pickle.loads(pickle.dumps(report))
    assert again == report
    assert again.to_json() == report.to_json()


def test_a_frame_through_pickle(pair: Report, tmp_path: Path) -> None:
    frame = pair.to_frame()
    frame.to_pickle(tmp_path / "a.pkl")
    again = pd.read_pickle(tmp_path / "a.pkl")
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert again.attrs == frame.attrs


def test_a_report_through_its_file(pair: Report, tmp_path: Path) -> None:
    pair.save(tmp_path / "a.json")
    assert Report.from_json((tmp_path / "a.json").read_text()) == pair


def test_what_is_no_frame_of_ours_is_not_written(pair: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the frame has the columns of no table of energysim: a, b"):
        es.write_frame(pd.DataFrame({"a": [1], "b": [2]}), tmp_path / "a.csv")
    with pytest.raises(UsageError, match="no table"):
        es.write_frame(pair.to_frame().assign(more=1), tmp_path / "a.csv")
    with pytest.raises(UsageError, match=r"says no format of a frame \(.csv, .json, .parquet\)"):
        es.write_frame(pair.to_frame(), tmp_path / "a.xlsx")
    with pytest.raises(UsageError, match="cannot be written"):
        es.write_frame(pair.to_frame(), tmp_path / "none" / "a.csv")
    odd = pair.to_frame()
    odd.loc[0, "folded_into"] = "NA"
    with pytest.raises(UsageError, match="folded_into 'NA' stands for a missing text"):
        es.write_frame(odd, tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


CSV = "scheme,level,tensor,elements,bits,energy_pj\n"
JSON = {"schema": "energysim-frame/1", "table": "tensors", "attrs": {}, "columns": CSV.strip().split(",")}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "it has the columns of no table of energysim: none"),
        ("a.csv", "a,b\n1,2\n", "no table of energysim: a, b"),
        ("a.csv", CSV + "dense,dram,weights,1.5,2,3\n", "not a table of energysim: invalid literal"),
        ("a.csv", CSV + "dense,dram,weights,1,2\n", "row 1 has 5 values, there are 6 columns"),
        ("a.csv", CSV + "dense,dram,weights,1,2,nan\n", "energy_pj has nan"),
        ("a.csv", CSV + "dense,dram,weights,1,2,1e999\n", "energy_pj has inf"),
        ("a.csv", CSV + 'dense,dram,"weights,1,2\n', "not a table of energysim"),
        ("a.json", "[]", "not a frame of schema"),
        ("a.json", '{"schema": "energysim-frame/2"}', "not a frame of schema"),
        ("a.json", '{"schema"', "not a table of energysim"),
        ("a.json", json.dumps(JSON), "not a table of energysim: 'rows'"),
        ("a.json", json.dumps({**JSON, "rows": [["a", "b", "c", 1.5, 2, 3]]}), "elements has 1.5"),
        ("a.json", json.dumps({**JSON, "rows": [["a", "b", "c", 1, 2, None]]}), "energy_pj has None"),
        ("a.json", json.dumps({**JSON, "rows": [["a", "b", "c", 1, 2, float("nan")]]}), "energy_pj has nan"),
        ("a.json", json.dumps({**JSON, "rows": [["a", "b", "c", True, 2, 3]]}), "elements has True"),
        ("a.json", json.dumps({**JSON, "rows": [["a", "b", "c", 1, 2]]}), "row 1 has 5 values, there are"),
        ("a.json", json.dumps({**JSON, "table": "tensor", "rows": []}), "did you mean 'tensors'"),
        ("a.xls", "", "the suffix says no format"),
    ],
)
def test_files_that_hold_no_frame(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as caught:
        es.read_frame(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_no_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"a.parquet: not a parquet file"):
        es.read_frame(tmp_path / "a.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(UsageError, match=r"b.parquet: not a frame of schema"):
        es.read_frame(tmp_path / "b.parquet")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a.csv: cannot be read: No such file"):
        es.read_frame(tmp_path / "a.csv")
