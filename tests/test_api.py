"""The package as it is imported: lazy, typed, with examples that run."""

from __future__ import annotations

import doctest
import inspect
import json

import pytest
from support import Process

import energysim as es
from energysim import errors, units
from energysim.graph import builder

#: What the command line must not import: it would double its start.
HEAVY = (
    "pandas",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "numba",
    "torch",
    "scipy",
    "sklearn",
    "dask",
    "networkx",
    "IPython",
    "pytest",
)

LOADED = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded(process: Process, code: str) -> set[str]:
    """Top-level modules that some code imports, in a process of its own."""
    told = process("-c", f"{code}\n{LOADED}")
    assert told.returncode == 0, told.stderr
    return set(json.loads(told.stdout.splitlines()[-1]))


def test_importing_the_package_costs_nothing(process: Process) -> None:
    assert loaded(process, "import energysim").isdisjoint({*HEAVY, "numpy", "pydantic", "ruamel", "click"})


def test_help_imports_nothing_heavy(process: Process) -> None:
    code = "from energysim.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert loaded(process, code).isdisjoint({*HEAVY, "numpy", "pydantic", "ruamel"})


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", "vgg16", "--sparsity", "psconv"],
        ["estimate", "vgg16", "--format", "json"],
        ["estimate", "vgg16", "--format", "csv"],
        ["compare", "vgg16", "--sparsity", "psconv", "--format", "markdown"],
        ["show", "model", "vgg16"],
    ],
    ids=" ".join,
)
def test_commands_import_nothing_heavy(process: Process, arguments: list[str]) -> None:
    code = f"from energysim.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
    assert loaded(process, code).isdisjoint(HEAVY)


def test_estimate_is_a_function_whatever_is_imported(process: Process) -> None:
    code = (
        "import energysim.walker, energysim.report, energysim.cli, energysim as es\n"
        "print(type(es.estimate).__name__, es.estimate is energysim.walker.estimate)"
    )
    assert process("-c", code).stdout.split() == ["function", "True"]


def test_names() -> None:
    assert set(es.__all__) <= set(dir(es))
    for name in es.__all__:
        assert inspect.getdoc(getattr(es, name))
    with pytest.raises(AttributeError, match="no attribute 'estimte'"):
        _ = es.estimte  # type: ignore[attr-defined]


def test_the_lines_of_the_readme_run() -> None:
    frame = es.estimate("vgg16", sparsity="psconv", hardware="edge45").to_frame()
    assert len(frame) == 80
    assert es.estimate("vgg16", "psconv").per_layer().loc["features.conv1_2", "macs"] == 950_534_144


@pytest.mark.parametrize("module", [es, builder, units, errors], ids=lambda m: m.__name__)
def test_examples_of_docstrings(module: object) -> None:
    found = doctest.testmod(module, extraglobs={"GraphBuilder": builder.GraphBuilder})  # type: ignore[arg-type]
    assert found.failed == 0
    if module in (es, builder, units):
        assert found.attempted > 0


def test_a_graph_written_by_hand() -> None:
    b = es.GraphBuilder("mine", input=(3, 16, 16))
    x = b.relu(b.conv(b.input, 8, 3, padding=1))
    x = b.relu(b.conv(x, 8, 3, padding=1))
    report = es.estimate(b.build(b.linear(b.flatten(b.global_pool(x)), 4)), "psconv:PSD4_P8")
    assert report.setup.model == "mine"
    assert report.totals().macs < report.totals("dense").macs
    assert isinstance(report, es.Report)
