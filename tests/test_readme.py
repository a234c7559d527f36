"""README.md shows what the program really prints; its other blocks are run by test_docs.py."""

from __future__ import annotations

import re
from pathlib import Path

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
