"""What several test modules share: small graphs, reports made once, the program in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

# Before anything loads NumPy: two BLAS threads in each of several workers only wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# A loaded machine is no reason to fail: no example has a time limit.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

from support import HOME, Process, toy_graph  # noqa: E402

from energysim.graph import LayerGraph  # noqa: E402
from energysim.report import Report  # noqa: E402
from energysim.walker import estimate  # noqa: E402

#: Found by its entry point where energysim is installed; loaded once either way.
pytest_plugins = ["energysim.pytest_plugin"]


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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect what needs PyTorch with ``-m torch`` only; then it must run, and never skips."""
    if collection_path.name.startswith("test_torch_") and "torch" not in (config.option.markexpr or ""):
        return True
    return None


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
