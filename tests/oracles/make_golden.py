"""Write ``tests/data/golden``: what PyTorch makes of the operator cases and of small networks.

Run with PyTorch 2.13.0 (CPU) from the top of the checkout::

    PYTHONPATH=.:tests/oracles python tests/oracles/make_golden.py

``operators.npz`` holds inputs, parameters and outputs of every case; ``networks.npz`` the outputs of
networks whose weights and images the tests make again (the generator is exact on every machine).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_network
from golden_networks import NETWORKS, prepared
from operator_cases import CASES, arrays

from energysim.inference import save_weights

FOLDER = Path(__file__).parent.parent / "data" / "golden"


def main() -> None:
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    operators: dict[str, Any] = {}
    for name, (op, _) in CASES.items():
        inputs, parameters = arrays(name)
        for kind, values in (
            ("input", inputs),
            ("output", torch_network.run(op, inputs, parameters)),
        ):
            operators.update({f"{name}/{kind}{i}": a for i, a in enumerate(values)})
        operators.update({f"{name}/{suffix}": a for suffix, a in parameters.items()})
    save_weights(FOLDER / "operators.npz", operators, compress=True)
    networks: dict[str, Any] = {}
    for name in NETWORKS:
        graph, weights, images = prepared(name)
        networks[name] = torch_network.run_network(graph, weights, images).astype(np.float32)
    save_weights(FOLDER / "networks.npz", networks, compress=True)


if __name__ == "__main__":
    main()
