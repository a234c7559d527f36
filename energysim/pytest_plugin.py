"""The pytest plug-in: the fixture ``energy_baseline``, and ``--energy-update``.

pytest imports this module in every run where energysim is installed, so it imports nothing itself but
pytest; the rest comes with the first test that uses the fixture.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from energysim.regression.fixture import EnergyBaseline

__all__ = [
    "energy_baseline",
    "pytest_addoption",
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]

#: Baselines written in this run, with the test that wrote each.
_WRITTEN = pytest.StashKey[dict[Path, str]]()
#: What is wrong with them, found when the workers of pytest-xdist told what they wrote.
_TWICE = pytest.StashKey[list[str]]()
#: What a worker tells: texts by text.
_OUTPUT = "energysim_written"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("energysim")
    group.addoption(
        "--energy-update",
        action="store_true",
        help="Write the energy baselines of the tests that run instead of comparing with them. "
        "Refused where the environment variable CI is set.",
    )
    group.addoption("--energy-update-force", action="store_true", help="The same, even where CI is set.")
    parser.addini(
        "energy_baselines",
        "Folder of the energy baselines, relative to the root folder of pytest; "
        "by default the folder 'baselines' beside each test file.",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to write baselines where CI is set: there they are to be compared with."""
    config.stash[_WRITTEN], config.stash[_TWICE] = {}, []
    if _update(config) and not config.getoption("--energy-update-force") and _in_ci():
        raise pytest.UsageError(
            "--energy-update is refused where CI is set: a gate that writes its own baselines holds nothing; "
            "run it at home and commit the files (--energy-update-force does it all the same)"
        )


def _update(config: pytest.Config) -> bool:
    return bool(config.getoption("--energy-update") or config.getoption("--energy-update-force"))


def _in_ci() -> bool:
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


@pytest.fixture
def energy_baseline(request: pytest.FixtureRequest) -> EnergyBaseline:
    """Compare estimates with baselines: ``energy_baseline.check("my_net.onnx", hardware="edge45")``."""
    from energysim.regression.fixture import EnergyBaseline

    config = request.config
    given = config.getini("energy_baselines")
    folder = config.rootpath / given if given else request.path.parent / "baselines"
    return EnergyBaseline(
        folder, request.node.name, request.node.nodeid, _update(config), config.stash[_WRITTEN]
    )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker of pytest-xdist has written; none knows of the tests of the others."""
    written, twice = node.config.stash[_WRITTEN], node.config.stash[_TWICE]
    for name, test in getattr(node, "workeroutput", {}).get(_OUTPUT, {}).items():
        before = written.setdefault(Path(name), test)
        if before != test:
            tests = " and by ".join(sorted((before, test)))
            twice.append(f"{name}: written by {tests}: give check another name=")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the controller of pytest-xdist what was written; fail if two tests wrote one file."""
    config = session.config
    told = getattr(config, "workeroutput", None)
    if told is not None:
        told[_OUTPUT] = {str(path): test for path, test in config.stash.get(_WRITTEN, {}).items()}
    elif config.stash.get(_TWICE, []):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which baselines were written."""
    written = config.stash.get(_WRITTEN, {})
    if written:
        terminalreporter.section("energy baselines")
        for path in sorted(written):
            terminalreporter.write_line(f"wrote {path}")
        problems = config.stash[_TWICE]
        for problem in sorted(problems):
            terminalreporter.write_line(f"ERROR {problem}", red=True)
