"""Names that several test modules share; fixtures are in conftest.py."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import energysim
from energysim.graph import GraphBuilder, LayerGraph

#: The folder that holds the package under test, wherever the tests run.
HOME = str(Path(energysim.__file__).resolve().parent.parent)

Process = Callable[..., "subprocess.CompletedProcess[str]"]


def toy_graph(batch: int = 1) -> LayerGraph:
    """Convolution, ReLU, pooling, linear layer: small enough for a sheet of paper."""
    b = GraphBuilder("toy", input=(2, 8, 8), batch=batch)
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="conv"), name="relu")
    x = b.pool(x, 2, name="pool")
    return b.build(b.linear(b.flatten(x, name="flat"), 10, name="fc"))
