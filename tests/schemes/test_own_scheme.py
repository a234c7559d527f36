"""A scheme of a package outside energysim, as docs/own_scheme.md writes it: listed, costed, run."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import test_family as family
from schemes_family import LAYER, Unit, net, never_more, unit
from support import Process

from energysim.cli import main
from energysim.schemes import parse_scheme
from energysim.validate import validate

HOME = Path(__file__).resolve().parent.parent.parent
PACKAGE = HOME / "examples" / "own_scheme"
TUTORIAL = (HOME / "docs" / "own_scheme.md").read_text("utf-8")
MEMBER = "lowrank:rank=4"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, process: Process) -> Path:
    """The package as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("own_scheme")
    shutil.copytree(PACKAGE, folder / "source")
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    done = process("-m", "pip", "install", *options, "--target", str(folder / "site"), str(folder / "source"))
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(autouse=True)
def plugin(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed)
    monkeypatch.delitem(sys.modules, "energysim_lowrank", raising=False)


def test_the_tutorial_shows_the_package_as_it_is() -> None:
    shown = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```", TUTORIAL, re.DOTALL | re.MULTILINE))
    assert shown == {path.name: path.read_text("utf-8") for path in PACKAGE.iterdir() if path.is_file()}
    assert len(shown["energysim_lowrank.py"].splitlines()) <= 60


def test_the_tutorial_shows_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```", TUTORIAL, re.DOTALL | re.MULTILINE)
    ran = 0
    for command, *lines in (part.splitlines() for part in re.split(r"(?m)^\$ ", block) if part):
        if command.startswith("energysim "):
            failed = any(line.startswith("energysim: ") for line in lines)
            with pytest.raises(SystemExit) as ended:
                main(shlex.split(command)[1:])
            assert ended.value.code == (2 if failed else 0), command
            said = " ".join(capsys.readouterr()[failed].split())
            assert all(" ".join(line.split()) in said for line in lines), said
            ran += 1
    assert ran == 6


def test_a_process_finds_it(installed: Path, process: Process) -> None:
    """With nothing but the installation: no module of energysim names it."""
    done = process("-m", "energysim", "show", "scheme", "lowrank", PYTHONPATH=f"{HOME}:{installed}")
    assert done.stdout.startswith("lowrank:rank=16\n"), done.stderr
    sources = (HOME / "energysim").rglob("*.py")
    assert not [path for path in sources if "lowrank" in path.read_text("utf-8")]


def test_counts_by_hand() -> None:
    """As the tutorial gives them."""
    assert unit("lowrank:rank=16", 64, 128) == Unit(
        16 * 64 * 3 * 28 * 28 + 128 * 16 * 3 * 28 * 28, 16 * 64 * 3 + 128 * 16 * 3, 0
    )
    # The columns run on every second row only, the rows on every second column besides.
    assert unit("lowrank:rank=16", 64, 128, stride=2).macs == 16 * 64 * 3 * 14 * 28 + 128 * 16 * 3 * 14 * 14
    never_more([f"lowrank:rank={k}" for k in (9, 4, 2, 1)], net(13, 20))


@pytest.mark.parametrize(
    "check",
    [
        family.test_some_of_the_networks_are_changed,
        family.test_a_block_equals_its_reference,
        family.test_weights_that_follow_from_dense_ones,
        family.test_text_and_back,
        family.test_the_trace_is_complete,
        family.test_nothing_asked_nothing_changed,
        family.test_fused_never_costs_more_than_unfused,
        family.test_twice_the_images_twice_the_work,
    ],
)
def test_what_every_scheme_must_do(check) -> None:
    check(MEMBER)


@pytest.mark.parametrize("graph", family.nets(3), ids=lambda graph: graph.name)
def test_it_runs_as_it_is_costed(graph) -> None:
    if LAYER in parse_scheme(MEMBER).apply(graph).changed:
        found = validate(graph, MEMBER, inputs=1)
        assert found.passed, found.problems


def test_it_is_a_member_of_the_family(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "digits_cnn", "--sparsity", "all", "--format", "csv"])
    assert not ended.value.code
    assert "lowrank:rank=16" in capsys.readouterr().out
