"""Profiles: zeros counted one by one, and files that an estimate reads."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Process, toy_graph

from energysim.data import Data
from energysim.densities import SCHEMA, activations_schema, read_zeros
from energysim.errors import DensityError, EnergysimError, UsageError
from energysim.formats import get_format
from energysim.inference import plan
from energysim.profile import Profile, profile
from energysim.profile.sizes import quantised, sizes_of
from energysim.schemes import parse_scheme
from energysim.walker import estimate
from energysim.weight_sets import loaded, weight_sets

COUNT = 5


def images() -> Data:
    values = np.random.Generator(np.random.Philox(5)).standard_normal((COUNT, 2, 8, 8)).astype(np.float32)
    values[:, 1, 3:5] = 0
    return Data(values, None, "made up", "as they are")


@pytest.fixture(scope="module")
def found() -> Profile:
    return profile(toy_graph(), data=images())


def tensors_of(data: Data, **options: Any) -> dict[str, np.ndarray]:
    """Every tensor of the toy network, from a plan of its own."""
    graph = toy_graph()
    weights = loaded(weight_sets((), None, "dense")[0], graph, parse_scheme("dense").apply(graph), data)
    assert not isinstance(data.images, dict)
    kept = {"input": data.images}
    for node, _, outputs in plan(graph, weights, **options).walk(data.images):
        kept[node.outputs[0]] = np.array(outputs[0])
    return kept


def test_zeros_one_by_one(found: Profile) -> None:
    arrays = tensors_of(images())
    assert [t.name for t in found.tensors] == ["input", "conv", "relu", "pool", "flat", "fc"]
    for tensor in found.tensors:
        array = arrays[tensor.name]
        assert tensor.elements == array.size
        assert tensor.zeros == int((array == 0).sum())
        per_channel = np.moveaxis(array, 1, 0).reshape(array.shape[1], -1)
        assert tensor.zeros_per_channel == tuple(int((row == 0).sum()) for row in per_channel)
        assert tensor.zero_fraction == Fraction(tensor.zeros, tensor.elements)
    by_name = {t.name: t for t in found.tensors}
    assert by_name["input"].channel_fractions == (0, Fraction(1, 4))
    assert 0 < by_name["relu"].zeros < by_name["relu"].elements
    assert found.random


def test_sizes_are_those_of_encoded_bytes(found: Profile) -> None:
    for name, array in tensors_of(images()).items():
        tensor = next(t for t in found.tensors if t.name == name)
        for width in (8, 16):
            steps = quantised(array, float(np.abs(array).max()), width)
            for form in ("dense", "bitmap", "rlc"):
                bits = sum(get_format(form).encode(image, width).payload_bits for image in steps)
                assert getattr(tensor.sizes[width], form) == bits
            assert tensor.sizes[width].zeros == int((steps == 0).sum())
            assert tensor.sizes[width].zeros >= tensor.zeros


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch, found: Profile) -> None:
    monkeypatch.setattr("energysim.profile.run.batch_size", lambda graph: 2)
    assert profile(toy_graph(), data=images()).to_json() == found.to_json()


def test_integer_zeros(found: Profile) -> None:
    steps = profile(toy_graph(), data=images(), mode="int8")
    assert (
        steps.zeros
        == "zeros of int8 integers, sums of products as they are; sizes after rounding to so many bits"
    )
    arrays = tensors_of(images(), mode="int8", calibration=images().images)
    relu = next(t for t in steps.tensors if t.name == "relu")
    assert relu.zeros == int((arrays["relu"] == 0).sum())
    assert relu.zeros >= next(t for t in found.tensors if t.name == "relu").zeros
    pool = next(t for t in steps.tensors if t.name == "pool")
    assert pool.sizes[8].zeros == pool.zeros


def test_round_trip_into_an_estimate(found: Profile, tmp_path: Path) -> None:
    path = tmp_path / "densities.json"
    path.write_text(found.to_json())
    zeros = {z.pattern: z for z in read_zeros(path)}
    for tensor in found.tensors:
        assert zeros[tensor.name].fraction == tensor.zero_fraction
        assert zeros[tensor.name].per_channel == tensor.channel_fractions
    by_hand = estimate(toy_graph(), activations={t.name: t.zero_fraction for t in found.tensors})
    from_file = estimate(toy_graph(), activations=path)
    assert from_file.totals().effective_macs == by_hand.totals().effective_macs
    assert from_file.totals().total_energy_aj == by_hand.totals().total_energy_aj
    assert from_file.totals().effective_macs < estimate(toy_graph()).totals().effective_macs


def test_the_file_fits_the_schema(found: Profile) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(found.to_json()), activations_schema())
    bad = json.loads(found.to_json())
    bad["tensors"]["relu"]["zero"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, activations_schema())


def test_texts(found: Profile) -> None:
    table, markdown = found.render(), found.render("markdown")
    assert table.startswith("toy 2x8x8: zeros of 6 tensors on 5 images\n")
    assert "exact zeros of float32 numbers" in table
    assert "not those of a trained network" in table
    assert "| relu | 4x8x8 |" in markdown
    rows = list(csv.DictReader(io.StringIO(found.render("csv"))))
    assert [int(r["zeros"]) for r in rows] == [t.zeros for t in found.tensors]
    assert [int(r["rlc_bits_16"]) for r in rows] == [t.sizes[16].rlc for t in found.tensors]
    assert found.render("json") == found.to_json()
    assert str(found) == table
    with pytest.raises(UsageError, match="did you mean 'csv'"):
        found.render("cvs")


def test_a_sparse_form_has_zeros_of_its_own() -> None:
    dense, sparse = (profile("resnet18-cifar10", s, inputs=1) for s in ("dense", "psconv:PSD1_P16"))
    assert dense.to_json() != sparse.to_json()
    assert sparse.weights.endswith(", psconv:PSD1_P16")
    assert "layer1.0.relu1" in [t.name for t in dense.tensors]


def test_sizes_of_nothing_but_zeros() -> None:
    found = sizes_of(np.zeros((2, 3, 4)), 0.0, 8)
    assert (found.zeros, found.dense, found.bitmap, found.rlc) == (24, 192, 24, 2 * 40)


COUNTS = {"zeros": 3, "elements": 8, "zeros_per_channel": [1, 2]}


def write(folder: Path, tensor: Any, **more: Any) -> Path:
    path = folder / "zeros.json"
    path.write_text(json.dumps({"schema": SCHEMA, "tensors": {"relu": tensor}, **more}))
    return path


def test_counts_are_read_exactly(tmp_path: Path) -> None:
    (zeros,) = read_zeros(write(tmp_path, COUNTS))
    assert (zeros.fraction, zeros.per_channel) == (Fraction(3, 8), (Fraction(1, 4), Fraction(1, 2)))
    (zeros,) = read_zeros(write(tmp_path, {"zeros": 1, "elements": 3}))
    assert (zeros.fraction, zeros.per_channel) == (Fraction(1, 3), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zeros": 9}, "9 zeros of 8 elements make no sense"),
        ({"elements": 0}, "3 zeros of 0 elements"),
        ({"zeros": -1}, "a count is a whole number of at least 0, not -1"),
        ({"zeros": 3.0}, "a count is a whole number"),
        ({"zeros": True}, "a count is a whole number"),
        ({"zeros": None}, "a count is a whole number"),
        ({"zeros_per_channel": [1, 1]}, "2 channels with 2 zeros do not make 3 of 8"),
        ({"zeros_per_channel": [1, 1, 1]}, "3 channels with 3 zeros do not make 3 of 8"),
        ({"zeros_per_channel": 3}, "zeros_per_channel is a list"),
        ({"zero_fraction": 0.5}, "unknown key 'zero_fraction'"),
        ({"sizes": {"8": {"rcl": 3}}}, "unknown key 'rcl'; did you mean 'rlc'?"),
        ({"sizes": {"x": {}}}, "sizes hold a width"),
        ({"sizes": {"8": {"zeros": 9}}}, "9 zeros of 8 elements"),
        ({"sizes": {"8": {"dense": -1}}}, "a count is a whole number"),
        ({"sizes": []}, "sizes is an object"),
    ],
)
def test_counts_that_contradict_themselves(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DensityError) as caught:
        read_zeros(write(tmp_path, {**COUNTS, **change}))
    assert message in str(caught.value)
    assert "tensor 'relu'" in str(caught.value)


def test_counts_need_both(tmp_path: Path) -> None:
    with pytest.raises(DensityError, match="counts need zeros and elements, elements is missing"):
        read_zeros(write(tmp_path, {"zeros": 1}))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"modell": "x"}, "unknown key 'modell'; did you mean 'model'?"),
        ({"images": "8"}, "measured: images is a whole number"),
        ({"model": 8}, "measured: model is a text"),
        ([], "measured is an object"),
    ],
)
def test_the_section_on_what_was_run_is_strict(tmp_path: Path, section: Any, message: str) -> None:
    with pytest.raises(DensityError) as caught:
        read_zeros(write(tmp_path, COUNTS, measured=section))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"model": "other"}, "they were measured on other 2x8x8, not on toy 2x8x8: profile that"),
        ({"model": "toy", "input": "2x9x8"}, "they were measured on toy 2x9x8, not on toy 2x8x8"),
        ({"input": "3x8x8"}, "measured on toy 3x8x8"),
    ],
)
def test_measured_on_another_network(tmp_path: Path, section: Any, message: str) -> None:
    with pytest.raises(DensityError, match=message):
        estimate(toy_graph(), activations=write(tmp_path, COUNTS, measured=section))


def test_a_report_says_what_was_measured(found: Profile, tmp_path: Path) -> None:
    path = tmp_path / "densities.json"
    path.write_text(found.to_json())
    assert (
        ", measured on made up, random weights of seed 0"
        in estimate(toy_graph(batch=2), activations=path).setup.activations
    )
    few = write(tmp_path, {"zeros": 1, "elements": 2}, measured={"model": "toy", "data": "my pictures"})
    assert "0.5 of relu, measured on my pictures" in estimate(toy_graph(), activations=few).setup.activations


def test_bad_options() -> None:
    with pytest.raises(EnergysimError, match="one scheme is wanted"):
        profile(toy_graph(), "psconv,dense")
    with pytest.raises(EnergysimError, match="unknown mode"):
        profile(toy_graph(), mode="int9", data=images())


def test_command(process: Process, tmp_path: Path) -> None:
    target = tmp_path / "densities.json"
    done = process("-m", "energysim", "profile", "resnet18-cifar10", "--inputs", "1", "-o", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert "not those of a trained network" in done.stderr
    data = json.loads(target.read_text())
    assert data["measured"]["images"] == 1
    assert str(tmp_path) not in target.read_text()
    assert estimate("resnet18-cifar10", activations=target).totals().expected
    done = process("-m", "energysim", "profile", "resnet18-cifar10", "--data", "none.npz")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
