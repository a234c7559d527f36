"""Bad input: one clear line on stderr, nothing on stdout, nothing half-written, the right exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import HOME, Process, heed_interrupts, needs_full_device

from energysim import walker
from energysim.cli import main
from energysim.errors import CheckFailedError
from energysim.report import Report

Capture = pytest.CaptureFixture[str]


def called(*arguments: str) -> int:
    """Run the program in this process; return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def refused(capture: Capture, *arguments: str) -> str:
    """Run the program on bad input; return its only message."""
    assert called(*arguments) == 2
    told = capture.readouterr()
    assert told.out == ""
    assert told.err.startswith("energysim: ")
    assert told.err.count("\n") == 1
    assert "Traceback" not in told.err
    return told.err[len("energysim: ") : -1]


ESTIMATE = ("estimate", "vgg16-cifar10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("estimate", "vgg61"), "unknown model 'vgg61'; did you mean 'vgg16'?"),
        (("estimate", "no/such.py"), "no model file no/such.py"),
        ((*ESTIMATE, "-s", "psconf"), "unknown scheme 'psconf'; did you mean 'psconv'?"),
        ((*ESTIMATE, "-s", "psconv:ksss=4"), "did you mean 'kss'?"),
        ((*ESTIMATE, "-s", "psconv:kss=10"), "kss"),
        ((*ESTIMATE, "-s", "psconv:period=0"), "period"),
        ((*ESTIMATE, "-s", ""), "names no scheme"),
        ((*ESTIMATE, "-s", "fetures.*=psconv;"), "'fetures.*'"),
        ((*ESTIMATE, "-w", "edge54"), "unknown hardware 'edge54'; did you mean 'edge45'?"),
        ((*ESTIMATE, "-w", "no/such.yaml"), "no/such.yaml"),
        ((*ESTIMATE, "--batch", "0"), "the batch must be a whole number from 1 to 1048576, not 0"),
        ((*ESTIMATE, "--batch", "-3"), "from 1 to 1048576, not -3"),
        ((*ESTIMATE, "--batch", "1.5"), "'1.5' is not a valid integer"),
        ((*ESTIMATE, "--batch", "9" * 30), "from 1 to 1048576, not 9999"),
        ((*ESTIMATE, "--classes", "0"), "classes must be a whole number of at least 1, not 0"),
        ((*ESTIMATE, "--input", "3x0x3"), "--input is CxHxW with positive lengths"),
        ((*ESTIMATE, "--input", "3xx4"), "--input is CxHxW"),
        ((*ESTIMATE, "--input", "abc"), "--input is CxHxW"),
        ((*ESTIMATE, "--input", ""), "--input is CxHxW"),
        ((*ESTIMATE, "--input", "3x32"), "32"),
        ((*ESTIMATE, "--input", "3x2x2"), "node 'features.pool2'"),
        ((*ESTIMATE, "--bits", "0"), "bits: a whole number from 1 to 64"),
        ((*ESTIMATE, "--bits", "65"), "bits: a whole number from 1 to 64"),
        ((*ESTIMATE, "--bits", "w=8,a="), "bits: a whole number from 1 to 64"),
        ((*ESTIMATE, "--bits", "64"), "has no MAC for 64-bit weights"),
        ((*ESTIMATE, "--rules", "overlapp=none"), "overlap"),
        ((*ESTIMATE, "--rules", "overlap=nonne"), "none"),
        ((*ESTIMATE, "--objective", "enrgy"), "did you mean 'energy'?"),
        ((*ESTIMATE, "--fuse", "epilog"), "did you mean 'epilogue'?"),
        ((*ESTIMATE, "--cost-model", "two_level"), "did you mean 'two-level'?"),
        ((*ESTIMATE, "--format-weights", "csrr"), "did you mean 'csr'?"),
        ((*ESTIMATE, "--format-activations", "bitmapp"), "did you mean 'bitmap'?"),
        ((*ESTIMATE, "--activations", "1.5"), "a zero fraction lies between 0 and 1"),
        ((*ESTIMATE, "--activations", "nothing=0.5"), "has no tensor 'nothing'"),
        ((*ESTIMATE, "--activations", "none.json"), "none.json: cannot be read: No such file"),
        ((*ESTIMATE, "--format", "jsn"), "'jsn' is not one of"),
        ((*ESTIMATE, "-o", "x.unknown"), "x.unknown: the suffix says no format"),
        ((*ESTIMATE, "-o", "/"), "/: the suffix says no format"),
        ((*ESTIMATE, "-o", "no/such/out.json"), "there is no directory 'no/such'"),
        ((*ESTIMATE, "--sparsitty", "x"), "no such option '--sparsitty'"),
        ((*ESTIMATE, "more"), "unexpected extra argument"),
        (("estimate",), "missing argument 'MODEL' (energysim estimate --help)"),
        (("estimat", "vgg16"), "unknown command 'estimat'; did you mean 'estimate'?"),
        (("compare", "vgg16"), "compare needs --sparsity"),
        (("compare", "vgg16", "-s", "psconv", "--by", "layr"), "'layr' is not one of"),
        (("list", "modles"), "unknown list command 'modles'; did you mean 'models'?"),
        (("show", "modle", "x"), "unknown show command 'modle'; did you mean 'model'?"),
        (("show", "model", "vgg61"), "did you mean 'vgg16'?"),
        (("show", "hardware", "eyeris"), "did you mean 'eyeriss'?"),
        (("show", "scheme", "psconf"), "did you mean 'psconv'?"),
        (("show", "scheme", "psconv", "--window", "3"), "--window is RxS"),
        (("schema", "hardwar"), "'hardwar' is not one of"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_one_clear_message(
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def model(folder: Path, body: str) -> str:
    path = folder / "net.py"
    path.write_text(f"from energysim import GraphBuilder\n{body}")
    return str(path)


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        ("biuld = 1\n", ["net.py", "build", "did you mean 'biuld'?"]),
        ("def build(\n", ["net.py:2", "SyntaxError"]),
        ("def build():\n    return 1 / 0\n", ["net.py:3", "ZeroDivisionError"]),
        ("def build():\n    return 3\n", ["build returned int, not a LayerGraph"]),
        (
            "def build():\n    b = GraphBuilder('g', (3, 8, 8))\n"
            "    left, right = b.conv(b.input, 4, 3, name='left'), b.conv(b.input, 5, 3, name='right')\n"
            "    return b.build(b.add(left, right, name='sum'))\n",
            ["'sum'", "'left' gives 1x4x6x6", "'right' gives 1x5x6x6"],
        ),
    ],
)
def test_model_files(capsys: Capture, tmp_path: Path, body: str, pieces: list[str]) -> None:
    message = refused(capsys, "estimate", model(tmp_path, body))
    assert all(piece in message for piece in pieces)


HEAD = "schema: energysim-hardware/1\nname: own\nextends: teaching\n"


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        (f"{HEAD}vector_opp: 1 pJ\n", "own.yaml:4:"),
        (f"{HEAD}vector_op: {{value: -1 pJ, kind: assumed, note: x}}\n", "own.yaml:4:"),
        (f"{HEAD}vector_op: {{value: 1 GHz, kind: assumed, note: x}}\n", "own.yaml:4:"),
        (f"{HEAD}name: twice\n", "own.yaml:4:"),
        ("\0\1\2", "own.yaml"),
    ],
)
def test_hardware_files(capsys: Capture, tmp_path: Path, text: str, piece: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    assert piece in refused(capsys, *ESTIMATE, "-w", str(path))


def test_buffer_too_small(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"{HEAD}levels:\n  buffer:\n    capacity: {{value: 8 B, kind: assumed, note: x}}\n")
    message = refused(capsys, *ESTIMATE, "-w", str(path))
    assert "'features.conv1_1' on 'own'" in message
    assert " B would do" in message


def test_output_that_cannot_be_written(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "dir.json").mkdir()
    assert "it is a directory" in refused(capsys, *ESTIMATE, "-o", str(tmp_path / "dir.json"))
    if os.geteuid():
        (tmp_path / "fixed.json").touch(0o444)
        assert "Permission denied" in refused(capsys, *ESTIMATE, "-o", str(tmp_path / "fixed.json"))


def test_bad_options_are_found_before_anything_is_computed(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "estimate", None)
    refused(capsys, *ESTIMATE, "-o", "no/such/out.json")
    refused(capsys, *ESTIMATE, "-o", "x.unknown")


@pytest.mark.parametrize("words", [(), ("list",), ("show",)])
def test_nothing_asked_for_shows_the_help(capsys: Capture, words: tuple[str, ...]) -> None:
    assert called(*words) == 2
    told = capsys.readouterr()
    assert (told.out, told.err[:6]) == ("", "Usage:")


def broken(error: BaseException) -> object:
    def fail(*_: object, **__: object) -> Report:
        raise error

    return fail


def test_an_internal_error_is_one_line(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walker, "estimate", broken(KeyError("a\nb")))
    assert called(*ESTIMATE) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "energysim: internal error, please report it: KeyError: 'a\\nb' "
        "(energysim --traceback ... shows more)\n"
    )
    with pytest.raises(KeyError):
        main(["--traceback", *ESTIMATE])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "energysim: interrupted\n"),
        (CheckFailedError("worse than the baseline"), 1, "energysim: worse than the baseline\n"),
        (OSError(28, "No space left on device"), 2, "energysim: No space left on device\n"),
        (FileNotFoundError(2, "No such file", "x"), 2, "energysim: No such file: x\n"),
        (MemoryError(), 2, "energysim: this needs more memory than there is\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_exit_codes(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    monkeypatch.setattr(walker, "estimate", broken(error))
    assert called(*ESTIMATE) == code
    assert capsys.readouterr().err.lstrip("\n").startswith(message)


def test_exit_codes_of_a_process(process: Process) -> None:
    fine = process("-m", "energysim", *ESTIMATE)
    assert (fine.returncode, fine.stderr) == (0, "")
    wrong = process("-m", "energysim", "estimate", "vgg61")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "energysim: unknown model 'vgg61'; did you mean 'vgg16'?\n"


@pytest.mark.parametrize("arguments", ["estimate densenet121 --format csv", "estimate vgg16", "--help"])
def test_a_reader_that_goes_away(process: Process, arguments: str) -> None:
    """`| head -1`: no message, exit code 0, whether the pipe breaks early or at the end."""
    script = (
        "import os, subprocess, sys\n"
        "read, write = os.pipe()\nos.close(read)\n"
        f"command = [sys.executable, '-m', 'energysim', *{arguments.split()!r}]\n"
        "done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)\n"
        "print(done.returncode, done.stderr)\n"
    )
    assert process("-c", script).stdout.split() == ["0"]


@needs_full_device
def test_a_full_disk(process: Process) -> None:
    script = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'energysim', 'list', 'rules']\n"
        "done = subprocess.run(command, stdout=open('/dev/full', 'w'), stderr=subprocess.PIPE, text=True)\n"
        "print(done.returncode, done.stderr)\n"
    )
    assert process("-c", script).stdout.strip() == "2 energysim: No space left on device"


def test_ctrl_c(tmp_path: Path) -> None:
    """The model file says when it runs, and then waits."""
    path = tmp_path / "slow.py"
    path.write_text(
        f"import pathlib, time\npathlib.Path({str(tmp_path / 'started')!r}).touch()\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-m", "energysim", "estimate", str(path)]
    environment = {**os.environ, "PYTHONPATH": HOME}
    with subprocess.Popen(
        command, env=environment, stdout=-1, stderr=-1, text=True, cwd="/", preexec_fn=heed_interrupts
    ) as child:
        while not (tmp_path / "started").exists():
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err.strip()) == (130, "", "energysim: interrupted")


def test_names_that_the_terminal_cannot_show(process: Process, tmp_path: Path) -> None:
    body = (
        "def build():\n    b = GraphBuilder('g', (3, 8, 8))\n"
        "    return b.build(b.conv(b.input, 4, 3, name='a\\u2192b'))\n"
    )
    told = process("-m", "energysim", "estimate", model(tmp_path, body), PYTHONIOENCODING="latin-1")
    assert (told.returncode, told.stderr) == (0, "")
    assert "a\\u2192b" in told.stdout


def test_shell_completion(process: Process) -> None:
    script = process("-m", "energysim", _ENERGYSIM_COMPLETE="bash_source")
    assert "_ENERGYSIM_COMPLETE=bash_complete" in script.stdout
    for words, position, found in (
        ("energysim es", "1", "plain,estimate"),
        ("energysim estimate --spar", "2", "plain,--sparsity"),
        ("energysim list cost", "2", "plain,cost-models"),
    ):
        told = process(
            "-m", "energysim", _ENERGYSIM_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=position
        )
        assert (told.stdout.strip(), told.stderr) == (found, "")


OPTIONS = """--sparsity --hardware --input --classes --batch --bits --activations --format-weights
--format-activations --objective --rules --fuse --cost-model --format --by --nope -s -w"""
WORDS = """psconv dense psconv:kss=4,period=8 psc:kss=3 features.*=psconv; edge45 eyeriss teaching 3x32x32
3x8 16 w=8,a=8 0 -1 2 0.5 relu=0.5 csr rlc bitmap energy dram delay edp timeloop overlap=none pool none
epilogue two-level json csv table markdown layer part 1e9 nan"""
VALUES = st.one_of(
    st.text(alphabet="psconvdePSD_14,:=;*.x/- ", max_size=14),
    st.sampled_from(WORDS.split()),
    st.text(max_size=6),
)


@given(
    st.sampled_from(["estimate", "compare", "show", "list", "schema"]),
    st.lists(st.tuples(st.sampled_from(OPTIONS.split()), VALUES), max_size=3),
    st.lists(VALUES, max_size=1),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_options_never_fail_inside(
    capsys: Capture, command: str, options: list[tuple[str, str]], more: list[str]
) -> None:
    name = ["vgg16-cifar10"] if command in ("estimate", "compare") else []
    arguments = [command, *name, *(word for pair in options for word in pair), *more]
    code = called(*arguments)
    told = capsys.readouterr()
    assert code in (0, 2)
    assert "Traceback" not in told.err
    if code == 2:
        assert told.out == ""
        assert told.err.startswith(("energysim: ", "Usage: "))
    else:
        assert told.err == ""
