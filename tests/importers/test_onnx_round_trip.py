"""What is exported and imported again is the same network: counts, names, weights, outputs, reports."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import networks

onnx = pytest.importorskip("onnx")

from energysim.exporters import to_onnx, write_onnx  # noqa: E402
from energysim.graph import LayerGraph  # noqa: E402
from energysim.importers import import_onnx, import_weights  # noqa: E402
from energysim.inference import plan, random_images, random_weights  # noqa: E402
from energysim.schemes import parse_scheme  # noqa: E402
from energysim.validate import validate  # noqa: E402
from energysim.walker import estimate  # noqa: E402
from energysim.weight_sets import shipped_folder  # noqa: E402
from energysim.workload import lower  # noqa: E402
from energysim.zoo import load_model, model_names  # noqa: E402

SMALL = [name for name in model_names() if name.endswith(("-cifar10", "_cnn"))]


def works(graph: LayerGraph) -> list[Any]:
    """What is counted of each node that is no view: name, kind, workload."""
    found = []
    for node in graph:
        work = lower(graph, node)
        if work is not None and node.op.kind != "Dropout":
            found.append((node.name, node.op.category, work))
    return found


@pytest.mark.parametrize("name", networks(model_names(), but=["vit_b_16"]))
def test_every_network_of_the_zoo_counts_the_same(name: str) -> None:
    graph = load_model(name)
    weights = dict.fromkeys(random_weights(graph), None) if graph.parameter_count() > 3e7 else None
    arrays = _zeros(graph) if weights is not None else random_weights(graph)
    imported = import_onnx(to_onnx(graph, arrays).SerializeToString())
    assert works(imported.graph) == works(graph)
    assert imported.graph.parameters() == graph.parameters()
    assert list(imported.graph.outputs) == list(graph.outputs)
    assert set(imported.weights) == set(arrays)
    if weights is None:
        assert all(np.array_equal(imported.weights[key], array) for key, array in arrays.items())


def _zeros(graph: LayerGraph) -> dict[str, Any]:
    from energysim.inference.weights import expected_weights

    return {name: np.zeros(shape, np.float32) for name, shape in expected_weights(graph).items()}


@pytest.mark.parametrize("scheme", ["dense", "psconv:PSD4_P8"])
def test_reports_are_the_same(tmp_path: Path, scheme: str) -> None:
    graph = load_model("resnet18-cifar10")
    path = tmp_path / "resnet18-cifar10.onnx"
    write_onnx(graph, random_weights(graph), path)
    frames = [estimate(model, scheme).to_frame() for model in (graph, path)]
    frames = [frame[~frame.kind.isin(("Flatten", "Reshape"))] for frame in frames]
    assert frames[0].reset_index(drop=True).equals(frames[1].reset_index(drop=True))


@pytest.mark.parametrize("name", [*SMALL, "googlenet"])
def test_outputs_are_the_same(name: str) -> None:
    graph = load_model(name)
    weights = random_weights(graph)
    images: Any = random_images(graph, 2)
    imported = import_onnx(to_onnx(graph, weights).SerializeToString())
    (tensor, _), *_ = imported.outputs.values()
    assert tensor == graph.outputs[0]
    wanted = plan(graph, weights).run(images)
    found = plan(imported.graph, dict(imported.weights)).run(images)
    assert np.array_equal(found, wanted)  # type: ignore[arg-type]


def test_sparse_convolutions_come_back_dense_with_zeros() -> None:
    graph = parse_scheme("psconv:PS1_P9").apply(load_model("digits_cnn")).graph
    weights = random_weights(graph)
    imported = import_onnx(to_onnx(graph, weights).SerializeToString())
    for key, array in weights.items():
        assert np.array_equal(imported.weights[key], array)


def test_a_batch_is_open(tmp_path: Path) -> None:
    graph = load_model("digits_cnn")
    path = tmp_path / "net.onnx"
    write_onnx(graph, random_weights(graph), path)
    assert load_model(path).batch == 1
    assert load_model(path, batch=5).batch == 5
    assert load_model(path, {"input": (3, *graph.tensor("input").shape[1:])}).batch == 3
    write_onnx(graph, random_weights(graph), path, batch=4)
    assert load_model(path).batch == 4
    assert load_model(path, batch=2).batch == 2


def test_validated_with_its_own_weights(tmp_path: Path) -> None:
    """The digits network as it was trained: its accuracy is that of the shipped weights."""
    graph = load_model("digits_cnn")
    folder = shipped_folder("digits_cnn")
    assert folder is not None
    weights = random_weights(graph, 3)
    path = tmp_path / "digits.onnx"
    write_onnx(graph, weights, path)
    loaded = import_weights(path, load_model(path, batch=3))
    assert all(np.array_equal(loaded[key], array) for key, array in weights.items())
    found = validate(path, "psconv", inputs=2)
    assert found.passed
    assert "digits.onnx" in found.setup.weights


def test_time_and_memory_do_not_depend_on_the_weights(tmp_path: Path) -> None:
    graph = load_model("resnet50")
    path = tmp_path / "resnet50.onnx"
    write_onnx(graph, _zeros(graph), path)
    assert path.stat().st_size > 100_000_000
    import_onnx(path)
    start = time.process_time()
    import_onnx(path)
    assert time.process_time() - start < 1
    tracemalloc.start()
    try:
        imported = import_onnx(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
        assert imported.weights["fc.weight"].shape == (1000, 2048)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


# The test before counts what Python allocates, everywhere; this one what the whole process takes.
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak in /proc")
def test_peak_memory_of_a_process(tmp_path: Path, process: Any) -> None:
    """The whole process needs as much for 400 MB of weights as for 4 kB."""
    peaks = []
    for size in (32, 10_000):
        made = _wide(size)
        path = tmp_path / f"wide{size}.onnx"
        path.write_bytes(made.SerializeToString())
        del made
        code = (
            f"from energysim.importers import import_onnx; import_onnx({str(path)!r})\n"
            "print([int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"
        )
        peaks.append(int(process("-c", code).stdout))
        path.unlink()
    assert peaks[1] < peaks[0] + 20_000  # kB


def _wide(size: int) -> Any:
    from small_models import model, node

    arrays = {"fc.weight": np.zeros((size, size), np.float32)}
    return model([node("MatMul", ["x", "fc.weight"], ["y"])], {"x": (1, size)}, ["y"], arrays)
