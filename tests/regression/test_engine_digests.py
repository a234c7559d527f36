"""The digest of the engine moves when code does, and knows all that an estimate runs."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest
from support import HOME, Process

from energysim.regression import engine
from energysim.regression.engine import PARTS, engine_digests

#: Loaded by an estimate without making a number: tables and their parts, and whoever asks.
BESIDE = {"cli", "errors", "report", "regression", "__init__", "__main__"}

SCRIPT = """
import sys
import energysim as es
import energysim.cost.hierarchy
es.estimate("digits_cnn", "psconv,auto,nm:2:4", "edge45").to_json()
print(*sorted(name for name in sys.modules if name.startswith("energysim.")))
"""


def of(folder: Path, part: str) -> str:
    return engine._digest(folder, part)


def code(text: str) -> str:
    return "".join(engine._code(ast.parse(text)))


def test_every_part_has_a_digest() -> None:
    found = engine_digests()
    assert tuple(found) == PARTS
    assert len(set(found.values())) == len(PARTS)
    assert all(len(value) == 12 for value in found.values())


def test_all_that_an_estimate_loads_is_in_a_part(process: Process) -> None:
    told = process("-c", SCRIPT)
    assert told.returncode == 0, told.stderr
    top = Path(HOME) / "energysim"
    parts = set()
    for name in told.stdout.split():
        part = name.split(".")[1]
        if not (top / part).is_dir():
            part = "walker" if part not in BESIDE else part
        parts.add(part)
    # The weights that the scheme auto looks at are read by the engine's reader of weight files.
    assert parts - set(PARTS) - BESIDE <= {"inference", "data"}
    assert {"cost", "graph", "hardware", "mapping", "schemes", "walker"} <= parts


def test_what_does_not_count() -> None:
    plain = code("def f(a):\n    return a + 1\n")
    assert plain == code(
        '"""Words."""\n\n\ndef f(a):  # why\n    """More."""\n    return (a\n            + 1)\n'
    )
    assert plain != code("def f(a):\n    return a + 2\n")
    assert plain != code("def f(a):\n    return a - 1\n")
    assert plain != code("def f(b):\n    return b + 1\n")
    assert code("x = 'a'\n") != code("x = 'b'\n")
    assert code("class A:\n    x: int\n") != code("class A:\n    x: str\n")


def test_empty_fields_do_not_count() -> None:
    """Newer versions of Python give functions, classes and constants more of them."""
    tree = ast.parse("def f(): return 1\n")
    before = "".join(engine._code(tree))
    function = tree.body[0]
    function._fields = (*type(function)._fields, "later", "latest")  # type: ignore[misc]
    function.later, function.latest = [], None  # type: ignore[attr-defined]
    assert "".join(engine._code(tree)) == before


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("units.py", "return -(-a // b)", "return a // b", "walker"),
        ("cost/base.py", "ceil_div(energy.energy_aj", "ceil_div(2 * energy.energy_aj", "cost"),
    ],
)
def test_a_changed_line_moves_the_digest_of_its_part(
    tmp_path: Path, file: str, old: str, new: str, part: str
) -> None:
    copy, top = tmp_path / "energysim", Path(HOME) / "energysim"
    files = top.glob("*.py") if part == "walker" else (top / part).glob("*.py")
    for path in files:
        (copy / path.relative_to(top)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / path.relative_to(top))
    assert of(copy, part) == engine_digests()[part]  # wherever the package lies
    text = (copy / file).read_text("utf-8")
    (copy / file).write_text(f"# A comment.\n{text}", "utf-8")
    assert of(copy, part) == engine_digests()[part]
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new), "utf-8")
    assert of(copy, part) != engine_digests()[part]
    (copy / file).rename(copy / file.replace(".py", "_moved.py"))
    assert of(copy, part) != engine_digests()[part]
