"""ONNX files as wholes: valid, the same bytes every time, whole or not there; read back by onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energysim.errors import ExportError
from energysim.exporters import onnx_file, to_onnx, write_onnx
from energysim.graph import LayerGraph, Linear
from energysim.inference import random_weights
from energysim.zoo import load_model

pytestmark = pytest.mark.oracle


def lengths(info: Any) -> list[Any]:
    return [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]


def test_bytes_and_rights(toy: LayerGraph, tmp_path: Path) -> None:
    weights = random_weights(toy)
    for name in ("a", "b"):
        write_onnx(
            toy, dict(reversed(weights.items())) if name == "b" else weights, tmp_path / f"{name}.onnx"
        )
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]
    (tmp_path / "c").touch()
    assert (tmp_path / "a.onnx").stat().st_mode == (tmp_path / "c").stat().st_mode


def test_shapes_are_said(toy: LayerGraph, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "toy.onnx"
    for batch, axis in ((None, "N"), (3, 3)):
        write_onnx(toy, random_weights(toy), path, batch)
        onnx.checker.check_model(path, full_check=True)
        model = onnx.load(path)
        infos = (*model.graph.input, *model.graph.value_info, *model.graph.output)
        assert {i.name: lengths(i) for i in infos} == {
            name: [axis, *tensor.shape[1:]] for name, tensor in toy.tensors.items()
        }
        assert [n.name for n in model.graph.node] == [n.name for n in toy]
        assert (model.producer_name, model.graph.name) == ("energysim", "toy")


def test_values_are_kept() -> None:
    import onnx

    graph = load_model("vit_b_16", input=(3, 32, 32), classes=3)
    weights = random_weights(graph)
    for array in to_onnx(graph, weights).graph.initializer:
        values = onnx.numpy_helper.to_array(array)
        if array.name in weights:
            node = graph.node(array.name.rpartition(".")[0])
            turned = (
                isinstance(node.op, Linear) and len(graph.input_shapes(node)[0]) == 3 and values.ndim == 2
            )
            wanted = weights[array.name]
            assert np.array_equal(values, wanted.T if turned else wanted), array.name


def test_failures_leave_nothing(toy: LayerGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match=r"net\.onnx cannot be written: No such file or directory$"):
        write_onnx(toy, random_weights(toy), tmp_path / "no" / "net.onnx")
    monkeypatch.setattr(onnx_file, "_MOST_BYTES", 1000)
    with pytest.raises(ExportError, match=r"^'toy' has weights of .* bytes, an ONNX file holds 1000$"):
        write_onnx(toy, random_weights(toy), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
