"""Every command and option, through click's runner."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner, Result

from energysim import __version__
from energysim.cli import cli
from energysim.densities import SCHEMA
from energysim.formats import FORMATS
from energysim.hardware import hardware_names
from energysim.mapping import RULE_VALUES
from energysim.report import Report
from energysim.walker import estimate
from energysim.zoo import model_names


def run(*arguments: str) -> Result:
    """Run the program; it must succeed and be silent on stderr."""
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result


def commands(group: click.Group = cli, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_every_command_and_every_option_has_help(words: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        text = run(*words, flag).stdout
        assert text.startswith(f"Usage: {' '.join(['cli', *words])}")
        assert max(map(len, text.splitlines())) <= 100
    command: click.Command | None = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.help.endswith(".")


def test_the_list_of_commands_says_what_they_do() -> None:
    text = run("--help").stdout
    for name, command in ((n, cli.get_command(click.Context(cli), n)) for n in cli.list_commands(None)):  # type: ignore[arg-type]
        assert command is not None
        assert name in text


def test_version() -> None:
    assert run("--version").stdout == f"energysim {__version__}\n"


def test_estimate_prints_the_report() -> None:
    told = run("estimate", "vgg16-cifar10", "--sparsity", "psconv")
    assert told.stdout == estimate("vgg16-cifar10", "psconv").render()
    assert told.stderr == ""
    assert "\x1b" not in told.stdout


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_formats_on_stdout_and_in_files(form: str, tmp_path: Path) -> None:
    told = run("estimate", "vgg16-cifar10", "--format", form).stdout
    assert told == estimate("vgg16-cifar10").render(form)
    file = tmp_path / "out"
    written = run("estimate", "vgg16-cifar10", "--format", form, "--output", str(file))
    assert file.read_text() == told
    assert written.stdout == ""
    assert written.stderr == f"wrote {file}\n"


@pytest.mark.parametrize(
    ("suffix", "form"), [("csv", "csv"), ("json", "json"), ("md", "markdown"), ("txt", "table")]
)
@pytest.mark.parametrize("command", ["estimate", "compare"])
def test_the_suffix_says_the_format(command: str, suffix: str, form: str, tmp_path: Path) -> None:
    arguments = (command, "vgg16-cifar10", "-s", "psconv")
    run(*arguments, "-o", str(tmp_path / f"out.{suffix}"))
    assert (tmp_path / f"out.{suffix}").read_text() == run(*arguments, "--format", form).stdout


def test_format_overrules_the_suffix(tmp_path: Path) -> None:
    run("estimate", "vgg16-cifar10", "-o", str(tmp_path / "out.txt"), "--format", "json")
    json.loads((tmp_path / "out.txt").read_text())


def reported(*options: str, model: str = "resnet18-cifar10") -> Report:
    return Report.from_json(run("estimate", model, "--format", "json", *options).stdout)


def test_options_of_the_network() -> None:
    report = reported("--input", "3x64x48", "--classes", "17", "--batch", "4")
    assert (report.setup.input, report.setup.batch) == ("3x64x48", 4)
    assert report.run().layers[-1].output_shape == "4x17"


def test_options_of_the_estimate() -> None:
    report = reported(
        "--bits",
        "w=4,a=8,acc=16",
        "--objective",
        "dram",
        "--rules",
        "overlap=none",
        "--fuse",
        "pool",
        "--cost-model",
        "two-level",
        "-w",
        "eyeriss",
        "--activations",
        "0.25",
        "--format-activations",
        "bitmap",
    )
    setup = report.setup
    assert (setup.bits, setup.objective, setup.fusion) == ("w=4,a=8,acc=16", "dram", "pool")
    assert (setup.hardware, setup.cost_model) == ("eyeriss", "two-level")
    assert (setup.activations, setup.formats) == ("0.25 of all but the input", "activations bitmap")
    assert "overlap=none" in setup.rules


def test_storage_format_of_weights() -> None:
    """CSR loses what the periodic form saves: at 8 bit an index costs as much as half a weight."""
    plain, csr = (
        reported("-s", "psconv", *extra).totals().stored_weight_bits
        for extra in ([], ["--format-weights", "csr"])
    )
    assert csr > 1.2 * plain


def test_several_schemes() -> None:
    report = reported("-s", "psconv", "-s", "psconv:PSD1_P16,psconv:kss=2,period=6")
    assert report.schemes[:3] == ("dense", "psconv:PSD4_P8", "psconv:PSD1_P16")
    assert len(report.schemes) == 4
    rules = reported("-s", "layer1.*=psconv; layer2.*=psconv:PSD1_P16")
    assert len({row.scheme for row in rules.run().layers}) == 3


def test_compare() -> None:
    rows = list(
        csv.DictReader(io.StringIO(run("compare", "vgg16-cifar10", "-s", "psconv", "--format", "csv").stdout))
    )
    assert [row["part"] for row in rows[::2]] == ["convolution", "linear", "other", "all"]
    sums = estimate("vgg16-cifar10", "psconv").totals()
    assert int(rows[-1]["stored_weight_bits"]) == sums.stored_weight_bits
    data = json.loads(
        run("compare", "vgg16-cifar10", "-s", "psconv", "--by", "layer", "--format", "json").stdout
    )
    assert data["reference"] == "dense"
    assert [row["layer"] for row in data["rows"][:2]] == ["features.conv1_1"] * 2
    assert "all layers" in run("compare", "vgg16-cifar10", "-s", "psconv").stdout


def test_list_models() -> None:
    lines = run("list", "models").stdout.splitlines()[2:]
    assert [line.split()[0] for line in lines] == model_names()
    assert any(line.split()[:3] == ["vgg16", "3x224x224", "138,357,544"] for line in lines)


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("hardware", hardware_names()),
        ("schemes", ["dense", "psc", "psconv"]),
        ("formats", list(FORMATS.builtin)),
        ("cost-models", ["two-level"]),
        ("rules", list(RULE_VALUES)),
    ],
)
def test_lists(what: str, names: list[str]) -> None:
    text = run("list", what).stdout
    assert {line.split()[0] for line in text.splitlines() if line} >= set(names)


def test_list_of_schemes_says_what_they_take() -> None:
    """In the words of the error for a parameter that a scheme has not."""
    from energysim.errors import SchemeError
    from energysim.schemes import SCHEMES, kind_of, parameters_of, parse_scheme

    text = run("list", "schemes").stdout
    for name in SCHEMES.builtin:
        assert kind_of(name).summary.split()[0] in text
        for key, value in parameters_of(name).items():
            assert f" {key}={value}" in text
    with pytest.raises(SchemeError, match="takes kss=") as caught:
        parse_scheme("psc:x=1")
    assert ", ".join(f"{k}={v}" for k, v in parameters_of("psc").items()) in str(caught.value)
    assert "order" in parameters_of("nm")
    assert parameters_of("dense") == {}


def test_show_model() -> None:
    text = run("show", "model", "vgg16").stdout
    assert text.endswith("vgg16: 138,357,544 parameters, 15,470,264,320 MACs, 40 nodes\n")
    small = run("show", "model", "resnet18", "--input", "3x40x32", "--classes", "3").stdout
    assert "1x3 " in small


def test_show_model_with_an_unknown_operator(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(
        "from dataclasses import dataclass\nfrom energysim import GraphBuilder\n"
        "from energysim.graph import Operator\n\n@dataclass(frozen=True)\nclass Odd(Operator):\n"
        "    def infer(self, shapes):\n        return shapes\n\ndef build():\n"
        "    b = GraphBuilder('odd', (3, 8, 8))\n    return b.build(*b.node(Odd(), b.input))\n"
    )
    text = run("show", "model", str(path)).stdout
    assert "unknown" in text
    assert "NOT COUNTED: 1 operators" in text


def test_show_hardware() -> None:
    assert "eyeriss" in run("show", "hardware", "eyeriss").stdout
    text = run("show", "hardware", "eyeriss", "--sources").stdout
    assert "[1] " in text
    assert "assumed" in text


def test_show_scheme() -> None:
    text = run("show", "scheme", "psconv").stdout
    assert text.startswith("psconv:PSD4_P8\n")
    assert "mod 8" in text
    assert "#" in text
    assert run("show", "scheme", "dense").stdout == "dense\n"
    assert "stay dense" in run("show", "scheme", "psconv", "--window", "5x3").stdout


@pytest.mark.parametrize("what", ["hardware", "activations"])
def test_schemas(what: str) -> None:
    schema = json.loads(run("schema", what).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    if what == "activations":
        jsonschema.validate({"schema": SCHEMA, "tensors": {"a": 0.5}}, schema)


def test_show_scheme_on_a_model() -> None:
    text = run("show", "scheme", "penni:d=9,density=0.5", "--model", "digits_cnn").stdout
    assert "features.conv2  Conv2d + Conv2d  equals a dense layer with reconstructed weights" in text
    assert "features.conv1  Conv2d           first convolution" in text
    assert "file 'dense.npz', seed0" in text
    assert "weights off: |W' - W| / |W|" in text
    text = run("show", "scheme", "psconv", "--model", "digits_cnn", "--weights", "random").stdout
    assert "equals a masked dense layer" in text
    assert "|W' - W|" not in text
    result = CliRunner().invoke(cli, ["show", "scheme", "penni", "--weights", "random"])
    assert result.exit_code != 0
