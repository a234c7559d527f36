"""Graphs with weights -> files of other programs."""

from energysim.exporters.onnx_file import to_onnx, write_onnx

__all__ = ["to_onnx", "write_onnx"]
