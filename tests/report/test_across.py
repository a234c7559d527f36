"""Several reports in one frame: values are theirs, factors those against the first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import toy_graph

import energysim as es
from energysim.errors import UsageError
from energysim.report import Report
from energysim.walker import estimate


@pytest.fixture(scope="module")
def dense() -> Report:
    """The network of ``pair``, dense alone."""
    return estimate("vgg16-cifar10", activations=0.5)


def test_dense_and_psconv(dense: Report, pair: Report) -> None:
    frame = es.compare(dense, pair)
    assert list(frame["scheme"]) == ["dense", "psconv:PSD4_P8"]
    assert list(frame["report"]) == ["1", "2"]
    assert list(frame["network"]) == ["all", "all"]
    first, second = dense.totals(), pair.totals()
    assert list(frame["macs"]) == [first.macs, second.macs]
    assert frame["macs_factor"][1] == float(f"{first.macs / second.macs:.6g}")
    assert frame["energy_pj"][1] == second.total_energy_aj / 10**6
    assert frame["energy_pj_factor"][0] == 1


def test_by_layer_and_part(dense: Report, pair: Report) -> None:
    layers = es.compare(dense, pair, by="layer").set_index(["layer", "scheme"])
    row = layers.loc[("features.conv1_2", "psconv:PSD4_P8")]
    assert row["macs"] == 37_748_736 * 37 // 72  # PSD4_P8 keeps 9 + 7 x 4 of 8 x 9 weights
    assert row["macs_factor"] == pytest.approx(72 / 37, rel=1e-5)
    parts = es.compare(dense, pair, by="part")
    assert list(dict.fromkeys(parts["part"])) == ["convolution", "linear", "other", "all"]


def test_the_same_estimate_stands_once(pair: Report) -> None:
    assert es.compare(pair, pair).equals(es.compare(pair))


def test_other_hardware_has_rows_of_its_own(dense: Report) -> None:
    other = estimate("vgg16-cifar10", hardware="eyeriss", activations=0.5)
    frame = es.compare(dense, other, names=["mine", "theirs"])
    assert list(frame["report"]) == ["mine", "theirs"]
    assert list(frame["hardware"]) == ["edge45", "eyeriss"]
    ratio = dense.totals().total_energy_aj / other.totals().total_energy_aj
    assert frame["energy_pj_factor"][1] == pytest.approx(ratio, rel=1e-5)


def test_layers_that_the_first_has_not_have_no_factors(dense: Report) -> None:
    frame = es.compare(dense, estimate(toy_graph()), by="layer").set_index("layer")
    assert frame.loc["conv", "macs"] == 4 * 2 * 9 * 64
    assert frame.loc["conv"].filter(like="_factor").isna().all()


def test_another_reference(pair: Report) -> None:
    frame = es.compare(pair, reference="psconv:PSD4_P8").set_index("scheme")
    assert frame.loc["psconv:PSD4_P8", "energy_pj_factor"] == 1
    assert frame.loc["dense", "energy_pj_factor"] < 1


def test_what_cannot_be_compared(dense: Report, pair: Report) -> None:
    with pytest.raises(UsageError, match="one report or more"):
        es.compare()
    with pytest.raises(UsageError, match="takes reports, not a str"):
        es.compare("vgg16")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="reports of batches 1, 2"):
        es.compare(dense, replace(pair, setup=replace(pair.setup, batch=2)))
    with pytest.raises(UsageError, match="2 reports need as many different names"):
        es.compare(dense, pair, names=["a", "a"])
    with pytest.raises(UsageError, match="compare by 'layers'; did you mean 'layer'"):
        es.compare(dense, by="layers")
    with pytest.raises(UsageError, match="no scheme 'psconv:PSD4_P8'"):
        es.compare(dense, pair, reference="psconv:PSD4_P8")
