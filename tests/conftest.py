"""What several test modules share: small graphs, reports made once, the program in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Before anything loads NumPy: two BLAS threads in each of several workers only wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import energysim  # noqa: E402
from energysim.graph import GraphBuilder, LayerGraph  # noqa: E402
from energysim.report import Report  # noqa: E402
from energysim.walker import estimate  # noqa: E402

#: The folder that holds the package under test, wherever the tests run.
HOME = str(Path(energysim.__file__).resolve().parent.parent)

Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def process() -> Process:
    """Run Python with some arguments, far from the checkout, with some environment variables changed."""

    def run(
        *arguments: str,
        cwd: Path | str = "/",
        python: str = sys.executable,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, (HOME, os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": path, **variables}
        return subprocess.run(
            [python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
        )

    return run


def toy_graph(batch: int = 1) -> LayerGraph:
    """Convolution, ReLU, pooling, linear layer: small enough for a sheet of paper."""
    b = GraphBuilder("toy", input=(2, 8, 8), batch=batch)
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="conv"), name="relu")
    x = b.pool(x, 2, name="pool")
    return b.build(b.linear(b.flatten(x, name="flat"), 10, name="fc"))


@pytest.fixture
def toy() -> LayerGraph:
    """The toy network with a batch of one."""
    return toy_graph()


@pytest.fixture(scope="session")
def pair() -> Report:
    """A small network, dense beside periodic, with expected counts."""
    return estimate("vgg16-cifar10", "psconv", activations=0.5)


@pytest.fixture(scope="session")
def triple() -> Report:
    """Three schemes side by side."""
    return estimate("resnet18-cifar10", "psconv,psconv:PSD1_P16", batch=2)
