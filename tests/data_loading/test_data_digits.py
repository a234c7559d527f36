"""Handwritten digits: the split that nothing may change, and images as the network takes them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from energysim.data import SPLITS, digits_split, load_data
from energysim.errors import DataError, UsageError
from energysim.graph import GraphBuilder, LayerGraph


def digits_net(classes: int = 10) -> LayerGraph:
    b = GraphBuilder("net", input=(1, 8, 8))
    return b.build(b.linear(b.flatten(b.conv(b.input, 2, 3)), classes))


def test_the_split_is_a_partition_that_never_changes() -> None:
    parts = {name: digits_split(name) for name in SPLITS}
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 1077,
        "validation": 360,
        "test": 360,
    }
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(1797))
    assert parts["train"][:6].tolist() == [0, 1, 2, 3, 4, 5]
    assert parts["validation"][:6].tolist() == [10, 15, 24, 26, 34, 36]
    assert parts["test"][:6].tolist() == [6, 7, 14, 18, 23, 27]


def test_unknown_split() -> None:
    with pytest.raises(UsageError, match=r"no split 'tests'; did you mean 'test'\?"):
        digits_split("tests")


def test_digits_are_the_test_images_unless_said_otherwise() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = datasets.load_digits()
    data = load_data("digits", digits_net())
    assert data.count == 360
    assert np.array_equal(data.images, (bunch.images[digits_split("test"), None] / 16).astype(np.float32))
    assert np.array_equal(data.labels, bunch.target[digits_split("test")])
    assert data.source == "digits of scikit-learn, test split, 360 of 360 images"
    assert data.normalisation == "pixels divided by 16, no mean or deviation taken off"
    train = load_data("digits:train", digits_net(), 7, normalise="0.5,0.25")
    assert train.count == 7
    first = bunch.images[digits_split("train")[0]]
    assert np.allclose(train.images[0, 0], (first / 16 - 0.5) / 0.25)


def test_digits_need_a_network_for_them() -> None:
    pytest.importorskip("sklearn.datasets")
    b = GraphBuilder("wide", input=(3, 8, 8))
    with pytest.raises(DataError, match="images of 1x8x8, but 'wide' takes 3x8x8"):
        load_data("digits", b.build(b.conv(b.input, 2, 3)))
    with pytest.raises(DataError, match=r"label \d of image \d+ is no class of 'net' \(0 to 3\)"):
        load_data("digits", digits_net(4))


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UsageError, match=r"pip install 'energysim\[digits\]'"):
        load_data("digits", digits_net())
