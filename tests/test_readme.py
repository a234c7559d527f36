"""The README shows what the program really prints, and its commands are the ones that are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.cli import cli

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text("utf-8")


def block(name: str) -> str:
    """The fenced block between ``<!-- name -->`` and ``<!-- end -->``."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```\n<!-- end -->", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_output_shown_is_the_real_one() -> None:
    result = CliRunner().invoke(cli, ["estimate", "vgg16", "--sparsity", "psconv"])
    assert result.exit_code == 0
    lines = iter(result.output.splitlines())
    shown = [line for line in block("main output").splitlines() if line != "..."]
    assert len(shown) > 20
    for line in shown:
        assert any(line == real for real in lines), f"not printed, or not in this order: {line!r}"


COMMANDS = [
    line
    for fence in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in fence.splitlines()
    if line[:9] == "energysim"
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_shown_run(command: str) -> None:
    result = CliRunner().invoke(cli, shlex.split(command)[1:], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_the_network_shown_can_be_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = next(
        fence for fence in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "def build" in fence
    )
    (tmp_path / "my_net.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(
        cli, ["estimate", "./my_net.py", "--sparsity", "psconv"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "my_net" in result.output


def test_the_python_shown_runs() -> None:
    code = next(
        fence for fence in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "es.estimate" in fence
    )
    names: dict[str, object] = {}
    exec(code, names)
    assert "frame" in names
