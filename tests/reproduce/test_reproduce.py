"""Published numbers against ours: what is computed, what is scored, and that nothing is fitted in silence."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import product
from math import ceil
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.reproduce import Table, compared, read_facts, render, reproduce, source_names
from energysim.reproduce.eie import LAYERS as LAYERS_OF_EIE
from energysim.reproduce.eie import expected_padding
from energysim.reproduce.eyeriss_alexnet import CALIBRATED_MW, CALIBRATION_ROW, CHIP, chip_cost
from energysim.reproduce.tables import mean_errors

FACTS = read_facts()
QUICK = ("dram-commands", "eyeriss-v2-pe", "ma2018", "gpu-gemm", "eie")


@cache
def table(name: str) -> Table:
    return reproduce(name)


def errors(name: str) -> dict[str, float]:
    """Mean error without sign by quantity."""
    return {what: float(mean) for what, (_, mean, _) in mean_errors(compared(table(name), FACTS)).items()}


# groups, M and C per group, kernel, stride, output rows, padded input columns; m, n, e of Table III
LAYERS = {
    "conv1": (1, 96, 3, 11, 4, 55, 227, 96, 1, 7),
    "conv2": (2, 128, 48, 5, 1, 27, 31, 64, 1, 27),
    "conv3": (1, 384, 256, 3, 1, 13, 15, 64, 4, 13),
    "conv4": (2, 192, 192, 3, 1, 13, 15, 64, 4, 13),
    "conv5": (2, 128, 192, 3, 1, 13, 15, 64, 4, 13),
}


@pytest.mark.parametrize("name", LAYERS)
def test_words_of_the_chip(name: str) -> None:
    """Words by the formulas of a row-stationary pass: no loop nest in them."""
    g, m_all, c, r, stride, e_all, h, m, n, e = LAYERS[name]
    batch = 4
    strips = [min(e, e_all - start) for start in range(0, e_all, e)]
    rows = sum((strip - 1) * stride + r for strip in strips)
    words = {
        "weights": g * m_all * c * r * r * ceil(batch / n) * len(strips),
        "inputs": g * c * rows * h * batch * ceil(m_all / m),
        "outputs": g * m_all * e_all * e_all * batch,
    }
    cost = chip_cost(name)
    assert {a.tensor: a.elements for a in cost.accesses if a.level == "dram"} == words
    assert cost.macs == g * m_all * c * r * r * e_all * e_all * batch
    stored = {a.tensor: a.bits for a in cost.accesses if a.level == "dram"}
    assert stored["weights"] == 16 * words["weights"]
    # three run-length pairs in 64 bits; longer runs than 31 zeros add a few pairs
    pairs = Fraction(CHIP[name].nonzeros)
    assert pairs * 64 / 3 <= stored["outputs"] <= pairs * 64 / 3 * Fraction(104, 100)
    if name != "conv1":
        pairs = words["inputs"] * (1 - Fraction(CHIP[name].zeros))
        assert pairs * 64 / 3 <= stored["inputs"] <= pairs * 64 / 3 * Fraction(101, 100)


@pytest.mark.parametrize(("name", "active"), [("conv2", 135), ("conv3", 156), ("conv4", 156), ("conv5", 156)])
def test_active_pes_of_the_chip(name: str, active: int) -> None:
    cost = chip_cost(name)
    assert dict(cost.times)["compute"] * active == cost.macs


@pytest.mark.parametrize("name", CHIP)
def test_psums_and_inputs_fit_the_buffer_as_published(name: str) -> None:
    """Table III [KiB]: 15.5, 3.8, 7.0, 10.5, 10.5 of inputs; 72.2, 91.1 and three times 84.5 of sums."""
    _, _, _, r, stride, _, h, m, n, e = LAYERS[name]
    channels = {"conv1": 1, "conv2": 2, "conv3": 4, "conv4": 6, "conv5": 6}[name]  # q x r
    inputs = channels * n * ((e - 1) * stride + r) * h * 2
    sums = m * n * e * {"conv1": 55, "conv2": 27}.get(name, 13) * 2
    published = {"conv1": (15.5, 72.2), "conv2": (3.8, 91.1), "conv3": (7.0, 84.5)}
    assert (round(inputs / 1024, 1), round(sums / 1024, 1)) == published.get(name, (10.5, 84.5))
    assert inputs + sums <= 100 * 1024


def test_cycles_of_a_pe_by_hand() -> None:
    ours = {result.fact: result.ours for result in table("eyeriss-v2-pe").results}
    # 64 x 64 weights, 2130 of them kept (0.52), on 32 x 32 pixels of which 0.73 count; rounded up
    assert ours["EY2PE-L07"] == ceil(Fraction(2130 * 1024 * 73, 100))
    assert ours["EY2PE-L25"] == ceil(Fraction(round(Fraction("0.65") * 256 * 512) * 16 * 68, 100))


@pytest.mark.parametrize("density", ["0.3", "0.04", "1", "0"])
@pytest.mark.parametrize(("positions", "reach"), [(9, 2), (10, 3), (2, 3), (0, 2)])
def test_padding_of_columns_by_counting(positions: int, reach: int, density: str) -> None:
    share, total = Fraction(density), Fraction(0)
    for mask in product((False, True), repeat=positions):
        stored, zeros = 0, 0
        for kept in mask:
            stored += zeros // reach if kept else 0
            zeros = 0 if kept else zeros + 1
        total += stored * share ** sum(mask) * (1 - share) ** (positions - sum(mask))
    assert expected_padding(positions, share, reach) == total


def test_times_of_eie_by_hand() -> None:
    ours = {(r.fact, r.quantity): r.ours for r in table("eie").results}
    # no column of a PE has more than 16 rows: nothing is padded
    assert ours["EIE-NT-We-th", ""] == Fraction(4096 * 600, 10) / 64 / 800
    assert ours["EIE-AlexNet-FC8-th", ""] == 4096 * 1000 * Fraction("0.25") * Fraction("0.375") / 64 / 800
    kinds = ("actual time, endless queues", "actual time, no queues")
    for name in LAYERS_OF_EIE:
        least, most = (ours[f"EIE-{name}-act", kind] for kind in kinds)
        published = FACTS[f"EIE-{name}-act"].value
        assert published is not None and published < most
        assert (least < published) == (name != "AlexNet-FC7")
    assert errors("eie")["theoretical time"] <= 0.1


def test_dram_commands_by_hand() -> None:
    ours = {result.fact: result.ours for result in table("dram-commands").results}
    assert ours["DRAM-DDR3_4Gb_x16_1600-rd"] == Fraction("1.35") * (235 - 47) * 4 * Fraction("1.25")
    activate = Fraction("1.35") * (66 * 39 - 47 * 28 - 32 * 11) * Fraction("1.25")
    assert ours["DRAM-DDR3_4Gb_x16_1600-act"] == activate
    assert ours["DRAM-DDR3_4Gb_x16_1600-miss"] == (1269 + activate) / 128


def test_a_product_on_a_gpu_moves_no_less_than_any_can() -> None:
    for result in table("gpu-gemm").results:
        words = int(result.fact.split("-")[2].removesuffix("MB")) * 2**20 / 4
        assert result.ours >= 192  # three matrices of 64 MiB
        assert float(result.ours) >= 2 * 4096**3 / words**0.5 * 4 / 2**20
        published = FACTS[result.fact].value
        assert published is not None and result.ours <= published


def test_cycles_of_ma_by_hand() -> None:
    # 15,346,630,656 multiply-adds on 3136 multipliers without a rest: 4,893,696 cycles
    latency = {result.fact: result.ours for result in table("ma2018").results}["MA-VGG-Arria10-lat"]
    assert latency == Fraction(4_893_696, 200_000)
    assert all(result.unscored for result in table("ma2018").results)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in source_names()]
)
def test_without_a_published_value_only_its_error_goes(name: str) -> None:
    results = table(name)
    gone = results.results[0].fact
    facts = {**FACTS, gone: replace(FACTS[gone], value=None)}
    before, after = compared(results, FACTS), compared(reproduce(name), facts)
    assert [row.result for row in before] == [row.result for row in after]
    assert [row.error for row in after] == [None if row.fact.id == gone else row.error for row in before]
    rows = [list(csv.DictReader(io.StringIO(render([results], given, "csv")))) for given in (FACTS, facts)]
    for old, new in zip(*rows, strict=True):
        changed = {key for key in old if old[key] != new[key]}
        assert changed <= ({"published", "error", "scored"} if old["id"] == gone else set())
    assert mean_errors(after).keys() <= mean_errors(before).keys()


def test_ours_does_not_look_at_what_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of published values is not there; ours comes out all the same."""
    monkeypatch.setattr("energysim.reproduce.facts.FACTS", tmp_path / "none.csv")
    monkeypatch.setattr("energysim.reproduce.facts.read_facts.__defaults__", (tmp_path / "none.csv",))
    with pytest.raises(FileNotFoundError):
        read_facts()
    for name in QUICK:
        assert reproduce(name) == table(name)


def test_only_what_was_read_is_compared() -> None:
    assert all(fact.how_known.startswith(("read ", "derived here from read")) for fact in FACTS.values())
    assert all(fact.source for fact in FACTS.values())


def test_energies_of_the_chip_are_power_times_latency() -> None:
    for item, milliwatts, milliseconds in (
        ("CONV1", "332", "20.9"),
        ("CONV2", "288", "41.9"),
        ("CONV3", "266", "23.6"),
        ("CONV4", "235", "18.4"),
        ("CONV5", "236", "10.5"),
    ):
        power = Decimal(milliwatts) * Decimal(milliseconds) / 1000
        assert FACTS[f"EY1-ALEX-{item}-energy"].value == Fraction(power)


@pytest.mark.slow
def test_targets_of_the_chip() -> None:
    found = errors("eyeriss-alexnet")
    assert found["DRAM"] <= 0.03
    assert found["processing latency"] <= 0.15
    rows = compared(table("eyeriss-alexnet"), FACTS)
    latency = {row.fact.item: row for row in rows if row.quantity == "processing latency"}["total"]
    assert latency.error is not None and abs(latency.error) <= Fraction(15, 100)


@pytest.mark.slow
def test_networks_and_ramp_up_by_hand() -> None:
    rows = compared(table("eyeriss-alexnet"), FACTS)
    found = {row.fact.item: row.result.ours for row in rows if row.quantity.endswith("ramp-up")}
    # CONV4: 448,561,152 MACs on 156 PEs, 663,552 weights of 16 bit, 64 bit a cycle
    assert found["CONV4"] * 200_000 == 448_561_152 // 156 + 663_552 // 4
    # CONV3: 64 passes over 384 maps of 13 x 13 sums for 4 images leave over 64 bit a cycle
    assert found["CONV3"] * 200_000 == 64 * 384 * 13 * 13 * 4 // 4 + 884_736 // 4
    assert errors("eyeriss-alexnet")["processing latency, with networks and ramp-up"] <= 0.08


# passes over the channels of a group, and how often the array reads an input of a tile of m filters
PASSES = {"conv1": (3, 3), "conv2": (24, 4), "conv3": (64, 1), "conv4": (32, 2), "conv5": (32, 2)}


@pytest.mark.slow
def test_traffic_of_the_buffer_by_hand() -> None:
    """Sums come and go once a pass; the array takes inputs once for p t filters."""
    rows = compared(table("eyeriss-alexnet"), FACTS)
    found = {row.fact.item.lower(): row for row in rows if row.quantity == "buffer"}
    for name, (g, m_all, c, r, stride, e_all, h, m, _, e) in LAYERS.items():
        passes, again = PASSES[name]
        strips = [min(e, e_all - start) for start in range(0, e_all, e)]
        inputs = g * c * sum((strip - 1) * stride + r for strip in strips) * h * 4 * ceil(m_all / m)
        sums = g * m_all * e_all * e_all * 4
        words = 2 * passes * sums + again * inputs
        assert found[name].result.ours == Fraction(2 * words, 10**6)
        published = found[name].fact.value
        assert published is not None
        assert (abs(found[name].result.ours - published) <= Fraction("0.05")) == (name != "conv3")
    six = [row for row in rows if row.quantity == "buffer, 6 channels a pass"]
    # 43 passes; each input for 32 of the 64 filters of a tile
    words = 2 * 43 * 384 * 13 * 13 * 4 + 2 * 256 * 15 * 15 * 4 * 6
    assert six[0].result.ours == Fraction(2 * words, 10**6) and six[0].result.unscored


@pytest.mark.slow
def test_the_calibration_row_is_named_and_not_scored() -> None:
    rows = [row for row in compared(table("eyeriss-alexnet"), FACTS) if row.quantity.endswith("calibrated")]
    own = [row for row in rows if row.result.unscored]
    assert [row.fact.item for row in own] == [CALIBRATION_ROW.upper()]
    assert own[0].error is not None and abs(own[0].error) < Fraction(1, 1000)
    plain = {row.fact.id: row.result.ours for row in compared(table("eyeriss-alexnet"), FACTS)
             if row.quantity == "chip energy"}  # fmt: skip
    milliseconds = Fraction(dict(chip_cost(CALIBRATION_ROW).times)["compute"], 200_000)
    published = FACTS[own[0].fact.id].value
    assert published is not None
    assert round((published - plain[own[0].fact.id]) / milliseconds * 1000, 1) == CALIBRATED_MW


@pytest.mark.slow
def test_free_mappings_move_no_more() -> None:
    for row in compared(table("eyeriss-alexnet"), FACTS):
        if row.quantity == "DRAM":
            assert row.result.free is not None and row.result.free <= row.result.ours


@pytest.mark.slow
def test_target_of_the_split() -> None:
    assert max(errors("eyeriss-isca2016").values()) <= 0.15


def test_target_of_the_pe() -> None:
    assert errors("eyeriss-v2-pe")["cycles"] <= 0.08
    rows = compared(table("eyeriss-v2-pe"), FACTS)
    assert all(row.error is not None and abs(row.error) <= Fraction(8, 100) for row in rows)


@pytest.mark.slow
def test_the_committed_report_is_what_comes_out(request: pytest.FixtureRequest) -> None:
    path = request.config.rootpath / "reports" / "reproduction.md"
    text = render([table(name) for name in source_names()], FACTS, "markdown")
    assert path.read_text("utf-8") == text, "energysim reproduce -o reports/reproduction.md writes it anew"


def test_command() -> None:
    done = CliRunner().invoke(cli, ["reproduce", "dram-commands", "--format", "json"])
    assert done.exit_code == 0
    rows = json.loads(done.output)["rows"]
    assert len(rows) == 20 and {row["source"] for row in rows} == {"dram-commands"}
    done = CliRunner().invoke(cli, ["reproduce", "dram-commands"])
    assert "DDR3_4Gb_x16_1600    read burst              pJ           1269    1269  +0.0 %" in done.output


def test_unknown_source() -> None:
    done = CliRunner().invoke(cli, ["reproduce", "eyeris-alexnet"])
    assert "unknown source 'eyeris-alexnet'" in str(done.exception)
    assert "eyeriss-alexnet" in str(done.exception)
    assert getattr(done.exception, "exit_code", None) == 2
