"""Accuracy against energy: points, front, and accuracies that are never made up."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.accuracies import PUBLISHED, known_accuracies
from energysim.report.plots.tradeoff import Choice, choices, front
from energysim.resources import data_folder
from energysim.walker import estimate
from energysim.zoo import load_model


@pytest.fixture(scope="module")
def digits() -> Report:
    """A network whose accuracies were measured with the weights that ship."""
    return estimate("digits_cnn", "psconv:PSD4_P8,psconv:PSD1_P16,nm:2:4")


def test_points_are_energy_per_image_and_accuracy(triple: Report) -> None:
    given = {"dense": 90.0, "psconv:PSD1_P16": 80.5}
    figure = triple.plot_tradeoff(given)
    (axes,) = figure.axes
    stairs, *points = axes.lines
    unit = {"uJ": 10**12, "mJ": 10**15}[axes.get_xlabel().partition("[")[2].rstrip("]")]
    for (scheme, percent), line in zip(given.items(), points, strict=True):
        energy = triple.totals(scheme).total_energy_aj / 2  # of a batch of two
        assert line.get_xdata()[0] == pytest.approx(energy / unit, rel=1e-12)
        assert line.get_ydata()[0] == percent
    assert list(stairs.get_ydata()) == [80.5, 90.0]
    assert axes.get_ylabel() == "accuracy [%]"
    assert figure.get_supxlabel() == "no accuracy known: psconv:PSD4_P8"
    shown = [text.get_text().replace("\xa0", " ") for text in figure.legends[0].get_texts()]
    assert shown == ["1  dense, 90.00 %", "2  psconv:PSD1_P16, 80.50 %", "Pareto front"]


def test_front_by_hand() -> None:
    a, b, c, d = Choice("a", 1, 50), Choice("b", 2, 60), Choice("c", 3, 55), Choice("d", 4, 70)
    assert front([d, c, b, a]) == [a, b, d]
    assert front([Choice("x", 1, 50), Choice("y", 1, 60)]) == [Choice("y", 1, 60)]
    assert len(front([Choice("x", 1, 50), Choice("y", 1, 50)])) == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_front_is_what_nothing_beats(pairs: list[tuple[int, int]]) -> None:
    found = [Choice(str(n), energy, accuracy) for n, (energy, accuracy) in enumerate(pairs)]
    best = front(found)
    for one in found:
        beaten = any(
            o.energy_aj <= one.energy_aj
            and o.accuracy >= one.accuracy
            and (o.energy_aj < one.energy_aj or o.accuracy > one.accuracy)
            for o in found
        )
        assert (one in best) != beaten
    energies = [one.energy_aj for one in best]
    assert energies == sorted(energies)
    assert [one.accuracy for one in best] == sorted(one.accuracy for one in best)


def test_measured_ones_are_those_recorded(digits: Report) -> None:
    record = json.loads((data_folder("models") / "digits_weights" / "accuracy.json").read_text())
    known = known_accuracies(digits)
    assert known.percent == {
        name: record["schemes"][name]["test_percent"]["mean"] for name in digits.schemes if name != "nm:2:4"
    }
    assert "mean of 5 seeds on 360 test images of sklearn.datasets.load_digits" in known.source
    figure = digits.plot_tradeoff()
    assert "no accuracy known: nm:2:4" in figure.get_supxlabel().splitlines()


def test_published_ones_are_those_of_the_figure(pair: Report, triple: Report) -> None:
    # Kundu et al., IEEE Trans. Computers 69(7), 2020: figures of the authors' repository, read off.
    assert known_accuracies(pair).percent == {"dense": 92.76, "psconv:PSD4_P8": 92.51}
    known = known_accuracies(triple)
    assert known.percent == {"dense": 92.84, "psconv:PSD4_P8": 92.90, "psconv:PSD1_P16": 92.01}
    assert known.label == "top-1 accuracy [%]"
    assert known.source.endswith("read off a figure in the authors' public repository, to about 0.01")


def test_published_networks_are_those_of_the_zoo() -> None:
    with PUBLISHED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 13
    for model in {row["model"] for row in rows}:
        graph = load_model(model)
        (parameters,) = {row["parameters"] for row in rows if row["model"] == model}
        assert int(parameters) == graph.parameter_count()


def test_another_network_of_the_name_has_none(pair: Report) -> None:
    for change in ({"input": "3x64x64"}, {"parameters": 1}, {"model": "my_net"}):
        other = replace(pair, setup=replace(pair.setup, **change))
        with pytest.raises(
            UsageError, match=r"no accuracy of .* is known for dense, psconv:PSD4_P8: give them"
        ):
            other.plot_tradeoff()
        assert other.plot_tradeoff({"dense": 1}).axes


def test_random_supports_of_any_seed(pair: Report) -> None:
    report = replace(pair, runs=(pair.runs[0], replace(pair.runs[1], scheme="psc:kss=4,seed=7")))
    assert known_accuracies(report).percent["psc:kss=4,seed=7"] == 92.03


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"psconv": 1.0},
            r"an accuracy of 'psconv', which the report has not.*\(it has dense, psconv:PSD4_P8\)",
        ),
        ({"dense": 101}, "the accuracy of 'dense' is in percent, from 0 to 100, not 101"),
        ({"dense": -1}, "not -1"),
        ({"dense": float("nan")}, "not nan"),
        ({"dense": True}, "not True"),
        ({"dense": "90"}, "not '90'"),
        ({}, "accuracies are needed"),
    ],
)
def test_accuracies_that_cannot_be_used(pair: Report, given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choices(pair, given)
