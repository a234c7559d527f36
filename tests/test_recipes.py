"""Recipes for a user's repository: the workflow and the hook are what their readers accept, and they work."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import HOME, blocks, git
from ruamel.yaml import YAML

RECIPES = HOME / "docs" / "recipes"
PAGE = HOME / "docs" / "gate_in_ci.md"

# Keys that GitHub documents: "Workflow syntax for GitHub Actions", docs.github.com.
WORKFLOW = {"name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"}
JOB = {
    *("name", "permissions", "needs", "if", "runs-on", "environment", "concurrency", "outputs", "env"),
    *("defaults", "steps", "timeout-minutes", "strategy", "continue-on-error", "container", "services"),
    *("uses", "with", "secrets"),
}
STEP = {
    *("id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env"),
    *("continue-on-error", "timeout-minutes"),
}
# Keys of .pre-commit-hooks.yaml and of .pre-commit-config.yaml: pre-commit.com.
HOOK = {
    *("id", "name", "entry", "language", "files", "exclude", "types", "types_or", "exclude_types"),
    *("always_run", "fail_fast", "verbose", "pass_filenames", "require_serial", "description"),
    *("language_version", "minimum_pre_commit_version", "args", "stages", "additional_dependencies"),
}
REPOSITORY = {"repo", "rev", "hooks"}
CONFIGURED = {"alias", "log_file", *HOOK} - {"entry", "language", "description", "require_serial"}


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(RECIPES / "energy-gate.yml")["jobs"]["energy"]["steps"]
    return found


def test_the_page_shows_the_recipes_as_they_are() -> None:
    shown = {block.file: block.content for block in blocks(PAGE) if block.file}
    assert shown[".github/workflows/energy-gate.yml"] == (RECIPES / "energy-gate.yml").read_text("utf-8")
    assert shown[".pre-commit-config.yaml"] == (RECIPES / "pre-commit-config.yaml").read_text("utf-8")


def test_the_workflow_has_keys_that_github_knows() -> None:
    workflow = load(RECIPES / "energy-gate.yml")
    assert set(workflow) <= WORKFLOW and {"on", "jobs"} <= set(workflow)
    assert set(workflow["on"]) <= {"pull_request", "push"}
    assert workflow["permissions"] == {"contents": "read"}  # a gate only reads
    for job in workflow["jobs"].values():
        assert set(job) <= JOB and {"runs-on", "steps"} <= set(job)
    for step in steps():
        assert set(step) <= STEP
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])
        else:
            assert "${{" not in step["run"]  # nothing of a pull request is put into a shell


def test_what_the_workflow_installs_exists() -> None:
    (install,) = (step["run"] for step in steps() if step.get("run", "").startswith("pip "))
    (extra,) = re.findall(r"energysim\[(\w+)\]", install)
    setup = configparser.ConfigParser()
    setup.read(HOME / "setup.cfg")
    assert extra in setup["options.extras_require"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a user: a network, a baseline that holds, everything committed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NETWORK.format(width=8))
    assert git("init", "--quiet").returncode == 0
    done = shell("energysim baseline create ./net.py --sparsity psconv -o baselines/net.json")
    assert done.returncode == 0, done.stderr
    assert git("add", ".").returncode == git("commit", "--quiet", "-m", "Gate").returncode == 0
    return tmp_path


NETWORK = """\
from energysim import GraphBuilder


def build(input=(3, 16, 16), classes=4):
    b = GraphBuilder("net", input)
    x = b.relu(b.conv(b.input, 8, 3, padding=1, name="conv1"))
    x = b.relu(b.conv(x, {width}, 3, padding=1, name="conv2"))
    return b.build(b.linear(b.flatten(b.global_pool(x)), classes, name="fc"))
"""


def shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a runner does: ``bash -e``, with the program of this source tree."""
    place = Path("bin")
    if not place.exists():
        place.mkdir()
        (place / "energysim").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m energysim "$@"\n')
        (place / "energysim").chmod(0o755)
        (place / ".gitignore").write_text("*\n")
    paths = {"PATH": f"{place.resolve()}:{os.environ['PATH']}", "PYTHONPATH": str(HOME)}
    return subprocess.run(
        ["bash", "-e", "-c", command],
        env={**os.environ, **paths, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_the_workflow_passes_and_fails_as_it_should(repository: Path) -> None:
    lines = [step["run"] for step in steps() if step.get("run", "").startswith("energysim ")]
    assert len(lines) == 2
    github = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(repository / "summary.md"),
        "GITHUB_WORKSPACE": str(repository),
    }
    assert [shell(line, **github).returncode for line in lines] == [0, 0]
    assert "1 holds" in (repository / "summary.md").read_text()

    (repository / "net.py").write_text(NETWORK.format(width=9))
    (repository / "summary.md").unlink()
    compared, reported = (shell(line, **github) for line in lines)
    assert compared.returncode == reported.returncode == 1
    annotations = [line for line in compared.stdout.splitlines() if line.startswith("::error ")]
    assert 1 < len(annotations) <= 10
    assert any("conv2" in line for line in annotations)
    assert "conv2" in (repository / "summary.md").read_text()
    assert "<failure" in (repository / "energy-gate.xml").read_text()


def hook() -> dict[str, Any]:
    (found,) = load(HOME / ".pre-commit-hooks.yaml")
    assert isinstance(found, dict)
    return found


def test_the_hook_has_keys_that_pre_commit_knows() -> None:
    assert set(hook()) <= HOOK and {"id", "name", "entry", "language"} <= set(hook())
    config = load(RECIPES / "pre-commit-config.yaml")
    assert set(config) == {"repos"}
    for repository in config["repos"]:
        assert set(repository) == REPOSITORY
        for configured in repository["hooks"]:
            assert set(configured) <= CONFIGURED
            assert configured["id"] == hook()["id"]


@pytest.mark.parametrize(
    ("path", "runs"),
    [
        ("model.onnx", True),
        ("nets/net.py", True),
        ("chip.yaml", True),
        ("baselines/net.json", True),
        ("README.md", False),
    ],
)
def test_the_hook_runs_on_what_can_move_a_number(path: str, runs: bool) -> None:
    assert bool(re.search(hook()["files"], path)) is runs


@pytest.mark.slow
def test_the_hook_stops_a_commit(repository: Path) -> None:
    """The command as pre-commit puts it together: entry and arguments, here those of the recipe."""
    (configured,) = load(RECIPES / "pre-commit-config.yaml")["repos"][0]["hooks"]
    command = shlex.join([*hook()["entry"].split(), *configured["args"]])
    assert shell(command, PRE_COMMIT="1").returncode == 0
    (repository / "net.py").write_text(NETWORK.format(width=16))
    stopped = shell(command, PRE_COMMIT="1")
    assert stopped.returncode == 1
    assert "conv2" in stopped.stdout
