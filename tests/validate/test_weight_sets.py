"""Which weights a run gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from energysim import weight_sets as module
from energysim.errors import UsageError, WeightsError
from energysim.weight_sets import file_stem, shipped_folder, weight_sets


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with weights of one network, and others that are broken."""
    for name, text in (("a", '{"model": "mine"}'), ("b", "{"), ("c", "[]")):
        folder = tmp_path / f"{name}_weights"
        folder.mkdir()
        (folder / "accuracy.json").write_text(text)
    (tmp_path / "a_weights" / "dense.npz").write_bytes(b"")
    monkeypatch.setattr(module, "data_folder", lambda name: tmp_path)
    return tmp_path


def test_weights_that_ship_are_used_unless_others_are_asked_for(models: Path) -> None:
    assert shipped_folder("mine") == models / "a_weights"
    assert shipped_folder("other") is None
    (shipped,) = weight_sets((), "mine", "dense")
    assert (shipped.label, shipped.random) == ("file 'dense.npz'", False)
    (drawn,) = weight_sets(("random",), "mine", "dense", 3)
    assert (drawn.label, drawn.random) == ("random weights of seed 3, He-scaled, batch norm calibrated", True)
    assert weight_sets((), "other", "dense")[0].random
    assert weight_sets((), None, "dense")[0].random
    with pytest.raises(WeightsError, match="holds no weights of psconv:PSD4_P8: psconv_PSD4_P8"):
        weight_sets((), "mine", "psconv:PSD4_P8")


@pytest.mark.parametrize(
    ("scheme", "stem"),
    [
        ("dense", "dense"),
        ("psconv:PSD4_P8", "psconv_PSD4_P8"),
        ("psc:kss=4,seed=0", "psc_kss_4_seed_0"),
        ("features.*=psconv; classifier.*=dense", "features_psconv_classifier_dense"),
    ],
)
def test_file_stem(scheme: str, stem: str) -> None:
    assert file_stem(scheme) == stem


def test_the_index_of_shipped_weights_is_json() -> None:
    for record in module.data_folder("models").glob("*_weights/accuracy.json"):
        assert "model" in json.loads(record.read_text("utf-8"))


def test_what_cannot_be_weights(tmp_path: Path) -> None:
    for given, message in (
        ("randm", r"weights 'randm' cannot be read: no such file or folder; did you mean 'random'\?"),
        ("", "weights '' cannot be read: no such file or folder; write a file, a folder or random"),
    ):
        with pytest.raises(WeightsError, match=message):
            weight_sets((given,), None, "dense")
    with pytest.raises(UsageError, match="random weights stand alone"):
        weight_sets(("random", tmp_path), None, "dense")
    for number in range(10):
        (tmp_path / f"{number}.npz").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"there is 0\.npz, 1\.npz, .* 7\.npz and 2 more \(--weights"):
        weight_sets((tmp_path,), None, "dense")
