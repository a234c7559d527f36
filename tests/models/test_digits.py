"""The trained networks that ship: whole, sparse where they say so, and as accurate as recorded.

The recorded accuracies are PyTorch's; here the NumPy engine runs the same weights.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest

from energysim.data import SPLITS, digits_split
from energysim.graph import Conv2d, LayerGraph
from energysim.inference import check_weights, plan
from energysim.resources import data_folder
from energysim.schemes import parse_scheme
from energysim.weight_sets import shipped_folder, weight_sets
from energysim.zoo import load_model

FOLDER = data_folder("models") / "digits_weights"
RECORD = json.loads((FOLDER / "accuracy.json").read_text())
SCHEMES: dict[str, Any] = RECORD["schemes"]
RUNS = [(scheme, run["seed"]) for scheme, found in SCHEMES.items() for run in found["runs"]]


def network(scheme: str) -> LayerGraph:
    return parse_scheme(scheme).apply(load_model("digits_cnn")).graph


@cache
def arrays(scheme: str) -> dict[str, Any]:
    with np.load(FOLDER / SCHEMES[scheme]["file"], allow_pickle=False) as file:
        return dict(file)


def of_seed(scheme: str, seed: int) -> dict[str, Any]:
    start = f"seed{seed}/"
    return {n.removeprefix(start): a for n, a in arrays(scheme).items() if n.startswith(start)}


@cache
def images() -> tuple[Any, Any]:
    """All images and labels; skips the test where scikit-learn is not installed."""
    datasets = pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")
    bunch = datasets.load_digits()
    return (bunch.images / 16).astype(np.float32)[:, None], bunch.target.astype(np.int64)


def reproduce(scheme: str, seed: int, path: Any) -> None:
    """Run the test images; at most one may fall on the other side of a tie between two programs."""
    pictures, labels = images()
    chosen = digits_split("test")
    scores: Any = plan(network(scheme), of_seed(scheme, seed), path=path).run(pictures[chosen])
    (run,) = (r for r in SCHEMES[scheme]["runs"] if r["seed"] == seed)
    assert abs(int((scores.argmax(axis=1) == labels[chosen]).sum()) - run["test_correct"]) <= 1


def test_every_scheme_over_several_seeds() -> None:
    variants = {f"psconv:PSD{kss}_P{period}" for kss in (4, 2, 1) for period in (8, 16)}
    variants |= {f"psconv:{name}" for name in ("PS4_P4", "PS2_P6", "PS1_P9")}
    assert set(SCHEMES) == {"dense", *variants, *(f"psc:kss={kss},seed=0" for kss in (4, 2, 1))}
    for found in SCHEMES.values():
        assert [run["seed"] for run in found["runs"]] == list(range(5))


def test_files_are_those_recorded_and_small() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(files) == {"accuracy.json", *(found["file"] for found in SCHEMES.values())}
    assert sum(files.values()) < 3e6
    assert shipped_folder("digits_cnn") == FOLDER


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_belong_to_the_network_and_are_zero_where_none_exist(scheme: str) -> None:
    graph = network(scheme)
    layouts = {n.name: n.op.layout(graph.input_shapes(n)) for n in graph if isinstance(n.op, Conv2d)}
    assert sum(kernel.nonzeros for kernel in layouts.values()) == SCHEMES[scheme]["convolution_weights"]
    assert {name.split("/")[0] for name in arrays(scheme)} == {f"seed{seed}" for seed in range(5)}
    for seed in range(5):
        weights = of_seed(scheme, seed)
        check_weights(graph, weights)
        for name, kernel in layouts.items():
            assert not weights[f"{name}.weight"][~kernel.mask()].any()
            assert weights[f"{name}.weight"].any(axis=(1, 2, 3)).mean() > 0.5
        assert not any((a.view(np.uint32) & 0xFFFF).any() for a in weights.values())  # bfloat16 numbers
    assert len(weight_sets([], "digits_cnn", scheme)) == 5


def test_summaries_follow_from_the_runs() -> None:
    count = RECORD["data"]["images"]["test"]
    assert RECORD["data"]["images"] == {name: len(digits_split(name)) for name in SPLITS}
    for found in SCHEMES.values():
        values = [100 * run["test_correct"] / count for run in found["runs"]]
        wanted = {
            "mean": mean(values),
            "deviation": stdev(values),
            "least": min(values),
            "largest": max(values),
        }
        assert found["test_percent"] == pytest.approx(wanted, abs=6e-4)


def test_data_are_those_trained_on() -> None:
    pictures, labels = images()
    assert hashlib.sha256(pictures.tobytes() + labels.tobytes()).hexdigest() == RECORD["data"]["sha256"]
    assert RECORD["data"]["sha256"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_accuracy_is_reproduced(scheme: str) -> None:
    reproduce(scheme, 0, "compact")


@pytest.mark.slow
@pytest.mark.parametrize("path", ["reference", "compact", "fast"])
@pytest.mark.parametrize(("scheme", "seed"), RUNS)
def test_every_accuracy_is_reproduced(scheme: str, seed: int, path: str) -> None:
    reproduce(scheme, seed, path)
