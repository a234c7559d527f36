"""The committed answers of PyTorch and onnxruntime: an independent oracle in every run, without either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_networks import NETWORKS, prepared
from imported_cases import IMPORTED, NOT_ALONE, arrays
from operator_cases import CASES

from energysim.graph import Node
from energysim.inference import plan
from energysim.inference.reference import OPERATORS, run_operator

FOLDER = Path(__file__).parent.parent / "data" / "golden"
OPERATOR_ARRAYS = dict(np.load(FOLDER / "operators.npz"))
IMPORTED_OUTPUTS = dict(np.load(FOLDER / "imported.npz"))
OUTPUTS = dict(np.load(FOLDER / "networks.npz"))


def of_case(name: str, kind: str) -> tuple[Any, ...]:
    found = [key for key in OPERATOR_ARRAYS if key.startswith(f"{name}/{kind}")]
    return tuple(OPERATOR_ARRAYS[f"{name}/{kind}{i}"] for i in range(len(found)))


def test_every_operator_has_a_golden_case() -> None:
    assert {key.partition("/")[0] for key in OPERATOR_ARRAYS} == set(CASES)
    cases = [*CASES.values(), *IMPORTED.values()]
    assert {type(op) for op, _ in cases} | set(NOT_ALONE) == set(OPERATORS)
    assert {key.partition("/")[0] for key in IMPORTED_OUTPUTS} == set(IMPORTED) - {"quantize_odd"}
    assert set(OUTPUTS) == set(NETWORKS)


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str) -> None:
    op = CASES[name][0]
    suffixes = ("weight", "bias", "running_mean", "running_var")
    parameters = {s: OPERATOR_ARRAYS[f"{name}/{s}"] for s in suffixes if f"{name}/{s}" in OPERATOR_ARRAYS}
    found = run_operator(Node(name, op, ("x",), ("y",)), of_case(name, "input"), parameters)
    wanted = of_case(name, "output")
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= 2e-6 * max(1.0, float(np.abs(b).max()))


@pytest.mark.parametrize("name", [name for name in IMPORTED if name != "quantize_odd"])
def test_imported_operators(name: str) -> None:
    inputs, parameters = arrays(name)
    found = run_operator(Node(name, IMPORTED[name][0], ("x",), ("y",)), inputs, parameters)
    for i, a in enumerate(found):
        wanted = IMPORTED_OUTPUTS[f"{name}/{i}"]
        assert a.shape == wanted.shape
        assert a.dtype == np.float32
        assert np.abs(a - wanted).max() <= 2e-6 * max(1.0, float(np.abs(wanted).max()))


def test_quantisation_to_any_width() -> None:
    (x,), _ = arrays("quantize_odd")
    (found,) = run_operator(Node("node", IMPORTED["quantize_odd"][0], ("x",), ("y",)), (x,), {})
    for value, integer in zip(x.flat, found.flat, strict=True):
        assert integer == min(max(round(float(np.float32(value) / np.float32(0.02))), -32), 31)


@pytest.mark.parametrize("path", ["reference", "compact"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, path: Any) -> None:
    graph, weights, images = prepared(name)
    found: Any = plan(graph, weights, path=path).run(images)
    wanted = OUTPUTS[name]
    assert found.shape == wanted.shape
    assert wanted.std() > 1e-3
    assert np.abs(found - wanted).max() < 1e-4 * wanted.std()
