"""Graphs with weights -> files of other programs."""

from energysim.exporters.network import Exported, export
from energysim.exporters.onnx_file import to_onnx, write_onnx

__all__ = ["Exported", "export", "to_onnx", "write_onnx"]
