"""``energysim validate`` as it is typed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import HOME, Process, heed_interrupts

from energysim.cli import main

FILE = """
from energysim import GraphBuilder

def build(input=(3, 8, 8), classes=10):
    b = GraphBuilder("mine", input)
    x = b.relu(b.conv(b.input, 8, 3, padding=1, name="first"))
    x = b.relu(b.conv(x, 9, 3, padding=1, name="second"))
    return b.build(b.linear(b.flatten(b.global_pool(x)), classes, name="fc"))
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return str(path)


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Run the command in this process; return exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as left:
        main(["validate", *arguments])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


def test_a_table_on_stdout_and_nothing_else(process: Process, model: str) -> None:
    done = process("-m", "energysim", "validate", model, "--inputs", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine 3x8x8: compact against dense, float32, 2 images: everything agrees" in done.stdout


def test_json_to_a_file(capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    code, out, _ = typed(capsys, model, "-s", "psconv,psc:kss=2", "-o", str(target))
    assert (code, out) == (0, "")
    found = json.loads(target.read_text())
    assert found["passed"]
    assert [s["scheme"] for s in found["schemes"]] == ["dense", "psconv:PSD4_P8", "psc:kss=2,seed=0"]
    assert str(tmp_path) not in target.read_text()


def test_disagreement_is_exit_code_one(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path
) -> None:
    target = tmp_path / "found.csv"
    code, _, err = typed(capsys, model, "--tolerance", "0", "-o", str(target))
    assert code == 1
    told = err.splitlines()
    assert len(told) == 2  # wrote ..., and what disagrees first
    assert told[1].startswith("energysim: mine: ")
    assert "layer 'first'" in told[1]
    assert target.read_text().startswith("run,node,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "digits"), "images of 1x8x8, but 'mine' takes 3x8x8"),
        (("--data", "nothing.npz"), "there is no such file or folder"),
        (("--weights", "nothing.npz"), "weights 'nothing.npz' cannot be read"),
        (("--weights", "MODEL"), "this is no weight file"),
        (("--weights", "randm"), "no such file or folder; did you mean 'random'?"),
        (("--weights", "random", "--weights", "MODEL"), "random weights stand alone"),
        (("--data", ""), "the data have no name"),
        (("--inputs", "100000000000"), "all are held at once, "),
        (("--tolerance", "2"), "from 0 to below 1, not 2"),
        (("--mode", "int4"), "'int4' is not one of"),
        (("--inputs", "0"), "the number of inputs is at least 1, not 0"),
        (("--seed", "-1"), "a seed is a whole number"),
        (("--sparsity", "psconw"), "did you mean 'psconv'?"),
        (("-o", "x.exe"), "the suffix says no format"),
        (("-o", "/nowhere/x.json"), "there is no directory"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], model: str, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = typed(capsys, model, *(model if a == "MODEL" else a for a in arguments))
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_place_that_cannot_be_written_to_is_told_before_the_run(
    capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energysim.validate.validate", lambda *_, **__: pytest.fail("it ran"))
    monkeypatch.setattr("energysim.cli.options.os.access", lambda place, mode: False)
    code, out, err = typed(capsys, model, "-o", str(tmp_path / "x.json"))
    assert (code, out) == (2, "")
    assert err.endswith(f"cannot be written: no permission to write to {str(tmp_path)!r}\n")


def test_labels_out_of_range(capsys: pytest.CaptureFixture[str], model: str, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, images=np.ones((2, 3, 8, 8), np.float32), labels=np.array([3, 10]))
    code, _, err = typed(capsys, model, "--data", str(path))
    assert code == 2
    assert "label 10 of image 1 is no class of 'mine' (0 to 9)" in err


def test_ctrl_c_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    arguments = [sys.executable, "-m", "energysim", "validate", "vgg16-tiny", "--inputs", "64"]
    environment = {**os.environ, "PYTHONPATH": HOME}
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*arguments, "-o", str(target)],
        cwd="/",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=follower,
        preexec_fn=heed_interrupts,
    ) as running:
        os.close(follower)
        seen = b""
        end = time.monotonic() + 60
        while b" %  " not in seen and time.monotonic() < end:  # progress: it has begun to run
            seen += os.read(leader, 1024)
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=60)
    os.close(leader)
    assert b" %  dense features" in seen
    assert rest == b""
    assert running.returncode == 130
    assert [p.name for p in tmp_path.iterdir()] == []
