"""Networks from other programs' files: ONNX."""

from energysim.importers.onnx_import import FileWeights, Imported, import_onnx, import_weights

__all__ = ["FileWeights", "Imported", "import_onnx", "import_weights"]
