"""Frames and CSV: the columns promised, in network order, nothing summed."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.csv_form import csv_text
from energysim.walker import estimate

TEXT, COUNT, REAL, FLAG = "text", "int64", "float64", "bool"

LAYERS = {
    "scheme": TEXT,
    "node": TEXT,
    "origin": TEXT,
    "layer_scheme": TEXT,
    "kind": TEXT,
    "part": TEXT,
    "phase": TEXT,
    "folded_into": TEXT,
    "batch": COUNT,
    "output_shape": TEXT,
    "dense_macs": COUNT,
    "macs": COUNT,
    "effective_macs": COUNT,
    "other_ops": COUNT,
    "weight_bits": COUNT,
    "side_bits": COUNT,
    "float_macs": COUNT,
    "additions": COUNT,
    "gathers": COUNT,
    "expansion_macs": COUNT,
    "load_bits": COUNT,
    "dram_bits": COUNT,
    "dram_weight_bits": COUNT,
    "dram_input_bits": COUNT,
    "dram_output_bits": COUNT,
    "compulsory_bits": COUNT,
    "dram_bound_bits": COUNT,
    "buffer_bits": COUNT,
    "mac_energy_pj": REAL,
    "register_energy_pj": REAL,
    "buffer_energy_pj": REAL,
    "dram_energy_pj": REAL,
    "vector_energy_pj": REAL,
    "energy_pj": REAL,
    "unfused_dram_bits": COUNT,
    "unfused_energy_pj": REAL,
    "cycles": COUNT,
    "bound": TEXT,
    "utilisation": REAL,
    "expected": FLAG,
    "mapping": TEXT,
    "mappings": COUNT,
    "optimal": FLAG,
    "gap": REAL,
    "searched": TEXT,
    "stall_cycles": COUNT,
}
ACCESSES = {
    "scheme": TEXT,
    "node": TEXT,
    "level": TEXT,
    "tensor": TEXT,
    "action": TEXT,
    "elements": COUNT,
    "bits": COUNT,
    "energy_pj": REAL,
    "constant": TEXT,
    "constant_kind": TEXT,
    "expected": FLAG,
}


@pytest.mark.parametrize(("table", "columns"), [("layers", LAYERS), ("accesses", ACCESSES)])
@pytest.mark.parametrize("name", ["pair", "triple"])
def test_columns(name: str, table: str, columns: dict[str, str], request: pytest.FixtureRequest) -> None:
    frame = request.getfixturevalue(name).to_frame(table)
    assert list(frame.columns) == list(columns)
    for column, kind in columns.items():
        if kind == TEXT:
            assert pd.api.types.is_string_dtype(frame[column].dropna())
        else:
            assert frame[column].dtype == np.dtype(kind)
    missing = frame.columns[frame.isna().any()]
    assert set(missing) <= {"folded_into"}


def test_rows_are_the_nodes_in_network_order(pair: Report) -> None:
    frame = pair.to_frame()
    for run in pair.runs:
        assert list(frame.loc[frame["scheme"] == run.scheme, "node"]) == [row.node for row in run.layers]
    assert list(pair.to_frame("accesses")["node"]) == [a.node for run in pair.runs for a in run.accesses]
    assert type(frame) is pd.DataFrame
    assert type(frame.index) is pd.RangeIndex


def test_sums_over_frames_are_the_totals(pair: Report) -> None:
    for scheme in pair.schemes:
        sums, frame = pair.totals(scheme), pair.per_layer(scheme)
        assert frame["macs"].sum() == sums.macs
        assert frame["dram_bits"].sum() == sums.total_dram_bits
        parts = ["dram_weight_bits", "dram_input_bits", "dram_output_bits"]
        assert (frame[parts].sum(axis=1) == frame["dram_bits"]).all()
        assert frame["buffer_bits"].sum() == sums.buffer_bits
        assert frame["energy_pj"].sum() == pytest.approx(sums.total_energy_aj / 10**6, rel=1e-12)
        levels = [c for c in frame.columns if c.endswith("_energy_pj") and c != "unfused_energy_pj"]
        np.testing.assert_allclose(frame[levels].sum(axis=1), frame["energy_pj"], rtol=1e-12)


def test_access_rows_add_up_to_layer_rows(pair: Report) -> None:
    accesses, layers = pair.to_frame("accesses"), pair.to_frame()
    dram = accesses[accesses["level"] == "dram"].groupby(["scheme", "node"], sort=False)["bits"].sum()
    told = layers.set_index(["scheme", "node"])["dram_bits"]
    assert (dram == told[told > 0]).all()


def test_per_layer(pair: Report) -> None:
    frame = pair.per_layer("dense")
    assert frame.index.name == "node"
    assert frame.loc["features.conv1_2", "macs"] == 37_748_736
    assert pair.per_layer().loc["features.conv1_2", "layer_scheme"] == "psconv:PSD4_P8"
    with pytest.raises(UsageError, match="no scheme 'psc'"):
        pair.per_layer("psc")


def test_attrs_say_where_a_frame_comes_from(pair: Report) -> None:
    attrs = pair.to_frame().attrs
    assert attrs["model"] == "vgg16-cifar10"
    assert attrs["hardware_digest"] == pair.setup.hardware_digest
    assert set(attrs) == {"model", "hardware", "hardware_digest", "rules", "batch"}


def test_counts_beyond_64_bits_stay_exact(toy: Any) -> None:
    from dataclasses import replace

    report = estimate(toy)
    run = report.runs[0]
    layers = (replace(run.layers[0], macs=2**80), *run.layers[1:])
    frame = Report(report.setup, (replace(run, layers=layers),)).to_frame()
    assert frame["macs"][0] == 2**80


def test_compare_sums_by_origin(triple: Report) -> None:
    frame = triple.compare()
    assert list(frame.columns[:4]) == ["layer", "scheme", "macs", "macs_factor"]
    assert len(frame) == len(triple.runs) * len({row.origin for row in triple.runs[0].layers})
    row = frame[(frame["layer"] == "layer1.0.conv1") & (frame["scheme"] == triple.schemes[2])].iloc[0]
    dense = frame[(frame["layer"] == "layer1.0.conv1") & (frame["scheme"] == "dense")].iloc[0]
    assert (dense["macs"], dense["macs_factor"]) == (2 * 37_748_736, 1.0)
    assert row["macs_factor"] == pytest.approx(dense["macs"] / row["macs"], rel=1e-5)
    assert frame[frame["macs"] == 0]["macs_factor"].isna().all()


def test_compare_by_part_has_all(triple: Report) -> None:
    frame = triple.compare(by="part").set_index(["part", "scheme"])
    sums = triple.totals()
    assert frame.loc[("all", triple.schemes[-1]), "stored_weight_bits"] == sums.stored_weight_bits
    assert set(frame.index.get_level_values(0)) == {"convolution", "linear", "other", "all"}


def test_compare_against_another_reference(triple: Report) -> None:
    frame = triple.compare(triple.schemes[1], by="part").set_index(["part", "scheme"])
    assert frame.loc[("all", triple.schemes[1]), "energy_pj_factor"] == 1
    assert frame.loc[("all", "dense"), "energy_pj_factor"] < 1
    with pytest.raises(UsageError, match="no scheme"):
        triple.compare("psc")
    with pytest.raises(UsageError, match=r"compare by 'layers'; did you mean 'layer'"):
        triple.compare(by="layers")


def test_compare_of_a_dense_report_alone(toy: Any) -> None:
    frame = estimate(toy).compare()
    assert (frame["energy_pj_factor"].dropna() == 1).all()


def test_csv_is_read_back_exactly(pair: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(pair.render("csv"))))
    assert list(rows[0]) == list(LAYERS)
    flat = [(run, row) for run in pair.runs for row in run.layers]
    assert len(rows) == len(flat)
    for text, (run, row) in zip(rows, flat, strict=True):
        assert (text["scheme"], text["node"], int(text["macs"])) == (run.scheme, row.node, row.macs)
        energy = sum(a.energy_aj for a in run.accesses if a.node == row.node)
        assert Fraction(text["energy_pj"]) * 10**6 == energy
        assert float(text["utilisation"]) == float(row.utilisation)


def test_csv_equals_the_frame(pair: Report) -> None:
    read = pd.read_csv(io.StringIO(pair.render("csv")), keep_default_na=False)
    frame = pair.to_frame()
    assert list(read.columns) == list(frame.columns)
    for column in ("node", "macs", "cycles", "energy_pj", "mapping"):
        assert (read[column] == frame[column]).all()


def test_csv_of_nothing_and_of_odd_names() -> None:
    assert csv_text([]) == "\n"
    text = csv_text([{"a": 'x,"y"\nz', "b": None}])
    assert next(csv.DictReader(io.StringIO(text))) == {"a": 'x,"y"\nz', "b": ""}
