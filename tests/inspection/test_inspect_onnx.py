"""An ONNX file is recognised as the scheme it was exported with, and estimated by what is in it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import energysim as es
from energysim.cli import cli
from energysim.errors import UsageError
from energysim.inspector import inspect_weights

pytest.importorskip("onnx")


def test_an_exported_scheme_is_found_again(tmp_path):
    file = tmp_path / "net.onnx"
    arguments = ["export", "digits_cnn", "-s", "psconv:PSD2_P8", "-o", str(file)]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = inspect_weights(file)
    schemes = [layer.scheme for layer in found.layers]
    assert schemes == [None, *["psconv:PSD2_P8"] * 3, None]
    auto = es.estimate(file, "auto").run("auto").layers
    named = es.estimate("digits_cnn", "psconv:PSD2_P8").run("psconv:PSD2_P8").layers
    for one, other in zip([row for row in auto if row.macs], [row for row in named if row.macs], strict=True):
        assert (one.macs, one.weight_bits, one.side_bits) == (other.macs, other.weight_bits, other.side_bits)


def test_a_network_without_weights_is_an_error(tmp_path):
    from onnx import TensorProto, helper

    file = tmp_path / "relu.onnx"
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3)) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensors[:1], tensors[1:])
    file.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
    )
    with pytest.raises(UsageError, match="'relu' has no layer that multiplies with weights"):
        inspect_weights(file)
