"""The tidy contract: what is documented of a column is what the frame holds, for every frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import energysim as es
from energysim.curves import BufferPoint, LargerPoint, curve_frame
from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.column_page import page
from energysim.report.columns import COMPARED, KINDS, TABLES, columns_of
from energysim.report.comparison import QUANTITIES
from energysim.walker import estimate

DOCS = Path(__file__).resolve().parents[2] / "docs" / "columns.md"

POINTS = [
    BufferPoint("dense", 8, None, None, None),
    BufferPoint("dense", 16, 5, 6, 7),
]
LARGER_POINTS = [LargerPoint("dense", 8, 5, 6, None, 8), LargerPoint("dense", 16, 5, 6, 7, 6)]


def frames(report: Report) -> dict[str, list[pd.DataFrame]]:
    """Every frame that there is, by the name of its table."""
    found = {name: [report.to_frame(name)] for name in ("layers", "accesses", "levels", "tensors", "actions")}
    found["comparison"] = [report.compare(by=by) for by in ("layer", "part", "network")]
    found["reports"] = [es.compare(report, by=by) for by in ("layer", "part", "network")]
    found["curve"] = [curve_frame(POINTS)]
    found["larger_curve"] = [curve_frame(LARGER_POINTS)]
    return found


def test_no_table_is_forgotten(pair: Report) -> None:
    assert set(frames(pair)) == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_columns_have_the_types_documented(pair: Report, table: str) -> None:
    types = {"count": "int64", "maybe count": "Int64", "real": "float64", "flag": "bool"}
    for frame in frames(pair)[table]:
        assert type(frame) is pd.DataFrame
        assert type(frame.index) is pd.RangeIndex
        for spec in columns_of(table, frame.columns):
            column = frame[spec.name]
            assert spec.missing or not column.isna().any(), spec.name
            if spec.kind == "text":
                assert pd.api.types.is_string_dtype(column.dropna()), spec.name
            else:
                assert str(column.dtype) == types[spec.kind], spec.name


@pytest.mark.parametrize("table", TABLES)
def test_columns_stand_in_the_order_documented(pair: Report, table: str) -> None:
    told = [spec.name for spec in TABLES[table].columns]
    for frame in frames(pair)[table]:
        names = [name for name in frame.columns if name in told]
        assert names == [name for name in told if name in names]
        left_out = set(told) - set(names) - {"<level>_energy_pj"}
        assert left_out <= {"layer", "part", "network"}


def test_every_column_is_explained() -> None:
    for table in TABLES.values():
        names = [spec.name for spec in table.columns]
        assert len(set(names)) == len(names)
        for spec in table.columns:
            assert spec.kind in KINDS
            assert spec.meaning.endswith(".")
            assert bool(spec.unit) == (spec.kind not in ("text", "flag"))
            for suffix, unit in (("_bits", "bit"), ("_pj", "pJ"), ("_factor", "1"), ("_macs", "MAC")):
                if spec.name.endswith(suffix):
                    assert spec.unit == unit


def test_quantities_compared_are_those_documented() -> None:
    assert tuple(QUANTITIES) == COMPARED


def test_the_page_is_up_to_date() -> None:
    assert DOCS.read_text("utf-8") == page(), "python -m energysim.report.column_page > docs/columns.md"


def test_a_column_that_is_not_documented_is_refused() -> None:
    with pytest.raises(UsageError, match="has no column 'mac'; did you mean 'macs'"):
        columns_of("layers", ["scheme", "mac"])


def test_levels_of_other_hardware_have_their_columns(toy: object) -> None:
    frame = estimate(toy, hardware="eyeriss168").to_frame()  # type: ignore[arg-type]
    assert {"input_rf_energy_pj", "weight_rf_energy_pj", "psum_rf_energy_pj"} <= set(frame.columns)
    assert [spec.unit for spec in columns_of("layers", ["psum_rf_energy_pj"])] == ["pJ"]


def test_a_network_without_accesses_has_all_columns(pair: Report) -> None:
    run = replace(pair.runs[0], layers=(), accesses=())
    empty = replace(pair, runs=(run,))
    for name in ("layers", "accesses", "levels", "tensors", "actions"):
        frame = empty.to_frame(name)
        assert len(frame) == 0
        assert list(frame.columns) == [c.name for c in TABLES[name].columns if "<" not in c.name]
        assert frame.dtypes.iloc[-1] == pair.to_frame(name).dtypes.iloc[-1]


@pytest.mark.parametrize("count", [2**63, 2**64 - 1, 10**30])
def test_counts_past_64_bits_are_python_integers(pair: Report, count: int) -> None:
    run = pair.runs[0]
    layers = (replace(run.layers[0], macs=count), *run.layers[1:])
    column = replace(pair, runs=(replace(run, layers=layers),)).to_frame()["macs"]
    assert column.dtype == np.dtype(object)
    assert column[0] == count
    assert all(type(value) is int for value in column)


def test_the_largest_count_of_64_bits_is_int64(pair: Report) -> None:
    run = pair.runs[0]
    layers = (replace(run.layers[0], macs=2**63 - 1), *run.layers[1:])
    column = replace(pair, runs=(replace(run, layers=layers),)).to_frame()["macs"]
    assert column.dtype == np.dtype("int64")
    assert column[0] == 2**63 - 1


def test_sums_by_level_tensor_and_action(pair: Report) -> None:
    for scheme in pair.schemes:
        accesses = pair.run(scheme).accesses
        sums = pair.totals(scheme)
        levels = pair.per_level(scheme)
        assert levels.index.name == "level"
        for level, row in levels.iterrows():
            own = [a for a in accesses if a.level == level]
            assert row["elements"] == sum(a.elements for a in own)
            assert row["bits"] == sum(a.bits for a in own)
            assert row["energy_pj"] == sums.energy_aj[str(level)] / 10**6
        assert levels["energy_share"].sum() == pytest.approx(1, rel=1e-12)
        tensors, actions = pair.per_tensor(scheme), pair.per_action(scheme)
        assert list(tensors.index.names) == ["level", "tensor"]
        assert list(actions.index.names) == ["level", "action"]
        reads = [a.bits for a in accesses if (a.level, a.tensor) == ("dram", "weights")]
        assert tensors.loc[("dram", "weights"), "bits"] == sum(reads)
        reads = [a.bits for a in accesses if (a.level, a.action) == ("dram", "read")]
        assert actions.loc[("dram", "read"), "bits"] == sum(reads)
        for frame in (tensors, actions):
            assert frame.groupby("level")["bits"].sum().to_dict() == levels["bits"].to_dict()


def test_levels_stand_in_the_order_of_the_tables(toy: object) -> None:
    report = estimate(toy, hardware="eyeriss168")  # type: ignore[arg-type]
    order = ["mac", "buffer", "dram", "vector", "psum_rf", "weight_rf", "input_rf"]
    assert list(report.per_level().index) == order


def test_by_scheme_is_the_last_one_or_the_one_named(pair: Report) -> None:
    last, dense = pair.per_level(), pair.per_level("dense")
    assert last.equals(pair.per_level(pair.schemes[-1]))
    assert not last.equals(dense)
    with pytest.raises(UsageError, match="no scheme 'psc'"):
        pair.per_action("psc")
    with pytest.raises(UsageError, match="unknown table 'level'; did you mean 'levels'"):
        pair.to_frame("level")
