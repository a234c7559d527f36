"""The real networks that ship with the onnx package: shapes, multiply-adds, outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from light_tables import MACS

from energysim.importers import import_onnx
from energysim.workload import MacWorkload, lower

onnx = pytest.importorskip("onnx")
LIGHT = Path(onnx.__path__[0]) / "backend" / "test" / "data" / "light"


def test_the_table_is_complete() -> None:
    assert {p.name for p in LIGHT.glob("*.onnx")} == {f"light_{name}.onnx" for name in MACS}


@pytest.mark.parametrize("name", sorted(MACS))
def test_multiply_adds(name: str) -> None:
    graph = import_onnx(LIGHT / f"light_{name}.onnx").graph
    works = (lower(graph, node) for node in graph)
    assert sum(w.nest.macs for w in works if isinstance(w, MacWorkload)) == MACS[name]


@pytest.mark.parametrize("name", sorted(MACS))
def test_shapes_are_those_of_the_package(name: str) -> None:
    """Every value whose shape ONNX's own inference finds has it in the graph too."""
    path = LIGHT / f"light_{name}.onnx"
    model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    imported = import_onnx(model.SerializeToString())  # contradictions are errors
    (output,) = model.graph.output
    lengths = tuple(d.dim_value for d in output.type.tensor_type.shape.dim)
    assert [shape for _, shape in imported.outputs.values()] == [lengths]
    assert len(model.graph.value_info) > len(model.graph.node) / 2


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_outputs(name: str) -> None:
    """Run with the file's own weights on the input of the package's test, to the output beside it.

    The package's runner feeds light networks ``arange(n) / n`` in the input's shape
    (onnx/backend/test/runner: ``_prepare_light_model_data``).
    """
    from onnx import numpy_helper

    from energysim.inference import plan

    imported = import_onnx(LIGHT / f"light_{name}.onnx")
    (shape,) = imported.inputs.values()
    count = int(np.prod(shape))
    images = (np.arange(count).reshape(shape) / count).astype(np.float32)
    found: Any = plan(imported.graph, dict(imported.weights)).run(images)
    tensor = onnx.TensorProto.FromString((LIGHT / f"light_{name}_output_0.pb").read_bytes())
    wanted = numpy_helper.to_array(tensor)
    assert np.allclose(found.reshape(wanted.shape), wanted, rtol=1e-3, atol=1e-7)
