"""The JSON of an estimate is the same to the byte on any machine."""

from __future__ import annotations

import configparser
import locale
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from support import HOME, Process

#: Prints a digest per network: plain convolutions, depthwise ones, branches; gated zeros; all objectives.
SCRIPT = """
import hashlib
import energysim as es
for model, options in (
    ("vgg16-cifar10", {}),
    ("vgg16-cifar10", {"objective": "edp", "activations": 0.3, "batch": 3}),
    ("mobilenet_v2", {"hardware": "eyeriss"}),
    ("densenet121", {"objective": "delay"}),
):
    report = es.estimate(model, "psconv,psc:kss=4,seed=0", **options)
    print(hashlib.sha256(report.to_json().encode()).hexdigest())
"""


def digests(process: Process, **variables: str) -> list[str]:
    told = process("-c", SCRIPT, **variables)
    assert told.returncode == 0, told.stderr
    return told.stdout.split()


@pytest.fixture(scope="module")
def expected(process: Process) -> list[str]:
    """Digests under a plain environment."""
    return digests(process, PYTHONHASHSEED="0", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


def available_locales() -> list[str]:
    """Locales of this machine; C is always there."""
    try:
        listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        listed = []
    found = [name for name in listed if name not in ("C", "POSIX")]
    return ["C", *found[:3]]


def features() -> str:
    """The instruction sets that this processor has and numpy chooses from while running."""
    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))


def _variation(slow: bool = False, **variables: str):
    name = " ".join(f"{key}={value}" for key, value in variables.items())
    return pytest.param(variables, id=name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(
    "variables",
    [
        _variation(PYTHONHASHSEED="1", OPENBLAS_NUM_THREADS="2", LC_ALL=available_locales()[-1]),
        _variation(PYTHONHASHSEED="4242", OPENBLAS_CORETYPE="Haswell", OPENBLAS_NUM_THREADS="1", slow=True),
        _variation(OPENBLAS_CORETYPE="Nehalem", OMP_NUM_THREADS="2", PYTHONUTF8="0", slow=True),
        _variation(OPENBLAS_CORETYPE="Nehalem", NPY_DISABLE_CPU_FEATURES=features()),
    ],
)
def test_the_same_bytes(process: Process, expected: list[str], variables: dict[str, str]) -> None:
    assert digests(process, **variables) == expected


@pytest.mark.parametrize("name", available_locales())
def test_the_same_text_in_every_locale(process: Process, name: str) -> None:
    arguments = ("-m", "energysim", "estimate", "vgg16-cifar10", "-s", "psconv")
    told = process(*arguments, LC_ALL=name, LANG=name, LANGUAGE=name)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == process(*arguments).stdout
    assert locale.localeconv()["decimal_point"] == "."


def oldest() -> dict[str, str]:
    """The lowest version of each dependency that setup.cfg allows."""
    parser = configparser.ConfigParser()
    parser.read(Path(HOME) / "setup.cfg")
    lines = parser["options"]["install_requires"].split("\n")
    return dict(tuple(part.strip() for part in line.split(">=")) for line in lines if line)  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.skipif(not (Path(HOME) / "setup.cfg").is_file(), reason="not a checkout")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the oldest numpy has no wheel for this Python")
def test_the_same_bytes_under_the_oldest_dependencies(
    process: Process, expected: list[str], tmp_path: Path
) -> None:
    """The lowest versions all at once, and without pandas: JSON does not need it."""
    venv.create(tmp_path / "old", with_pip=True)
    python = str(tmp_path / "old" / "bin" / "python")
    wanted = [f"{name}=={version}" for name, version in oldest().items() if name != "pandas"]
    assert any(name.startswith("numpy==") for name in wanted)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
    subprocess.run(install, check=True, env={**os.environ, "PYTHONPATH": ""})
    told = process("-c", SCRIPT, python=python, PYTHONPATH=HOME)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == expected
    version = process("-c", "import numpy; print(numpy.__version__)", python=python, PYTHONPATH=HOME)
    assert version.stdout.startswith(oldest()["numpy"])
    table = process("-m", "energysim", "estimate", "vgg16-cifar10", python=python, PYTHONPATH=HOME)
    assert table.stdout == process("-m", "energysim", "estimate", "vgg16-cifar10").stdout
    wrong = process("-m", "energysim", "list", "modles", python=python, PYTHONPATH=HOME)
    assert wrong.stderr == "energysim: unknown list command 'modles'; did you mean 'models'?\n"
