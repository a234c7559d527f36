"""reports/operators.md is what the code says today, and it names every member of the family."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from energysim.schemes import SCHEMES, kind_of, parse_scheme

HOME = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def operators() -> ModuleType:
    """The script that writes the file."""
    spec = importlib.util.spec_from_file_location("operators_report", HOME / "reports" / "operators.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


def test_every_member_is_named(operators: ModuleType) -> None:
    shown = operators.FILE.read_text("utf-8")
    members = [str(parse_scheme(m)) for name in sorted(SCHEMES.builtin) for m in kind_of(name).family]
    missing = [member for member in members if f"`{member}`" not in shown]
    assert not missing, f"reports/operators.md is out of date; write it anew: {operators.REGENERATE}"


def test_every_scheme_has_a_claim_or_none_is_known(operators: ModuleType) -> None:
    """Claims are of schemes that exist, each with its source."""
    names = {claim.scheme.partition(":")[0] for claim in operators.CLAIMS}
    assert names <= set(SCHEMES.builtin)
    assert all(claim.source and claim.claim and claim.remark for claim in operators.CLAIMS)


@pytest.mark.slow
def test_the_file_is_what_the_script_writes(
    operators: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert operators.main(["--check"]) == 0, capsys.readouterr().err


def test_the_claims_are_what_the_script_writes(operators: ModuleType) -> None:
    assert operators.claims_text() in operators.FILE.read_text("utf-8"), operators.REGENERATE


def test_wrong_arguments(operators: ModuleType) -> None:
    assert operators.main(["--chek"]) == 2


def test_another_file_is_told(
    operators: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(operators, "text", lambda: "new")
    monkeypatch.setattr(operators, "HOME", tmp_path)
    monkeypatch.setattr(operators, "FILE", tmp_path / "operators.md")
    assert operators.main(["--check"]) == 1
    assert "out of date; write it anew: python reports/operators.py" in capsys.readouterr().err
    assert operators.main([]) == 0
    assert operators.main(["--check"]) == 0
    (tmp_path / "operators.md").write_text("old")
    assert operators.main(["--check"]) == 1
