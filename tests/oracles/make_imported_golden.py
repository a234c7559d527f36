"""Write ``tests/data/golden/imported.npz``: what onnxruntime makes of the cases of imported operators.

Run with onnxruntime 1.31.1 from the top of the checkout::

    PYTHONPATH=.:tests/oracles python tests/oracles/make_imported_golden.py

Inputs and parameters are not written: the tests make them again, the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

from imported_cases import IMPORTED, Array, arrays
from onnxruntime_run import one_node, run_onnxruntime

from energysim.errors import ExportError
from energysim.inference import save_weights


def main() -> None:
    found: dict[str, Array] = {}
    for name, (op, _) in IMPORTED.items():
        inputs, parameters = arrays(name)
        graph, given = one_node(op, inputs)
        weights = {f"node.{suffix}": array for suffix, array in parameters.items()}
        try:
            outputs = run_onnxruntime(graph, weights, given)
        except ExportError as error:
            print(f"{name}: {error}")
            continue
        found.update({f"{name}/{i}": array for i, array in enumerate(outputs)})
    save_weights(Path(__file__).parent.parent / "data" / "golden" / "imported.npz", found, compress=True)


if __name__ == "__main__":
    main()
