"""The pytest plug-in, run by pytest on a project of a user (docs/gate.md shows one)."""

from __future__ import annotations

import configparser
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import HOME, Process

from energysim import pytest_plugin

from .small import called, edit

pytest_plugins = ["pytester"]

#: What a project that only runs other tests must not pay for.
HEAVY = (
    "numpy",
    "pandas",
    "networkx",
    "pydantic",
    "ruamel",
    "click",
    "energysim.graph",
    "energysim.regression",
)

TEST = """
from energysim import GraphBuilder, estimate


def net(filters=4):
    b = GraphBuilder("net", (2, 8, 8))
    x = b.relu(b.conv(b.input, filters, 3, padding=1, name="conv"), name="relu")
    return b.build(b.linear(b.flatten(x, name="flat"), 10, name="fc"))


def test_graph(energy_baseline):
    energy_baseline.check(net(), hardware="teaching", sparsity="psconv")


def test_report(energy_baseline):
    energy_baseline.check(estimate(net(), hardware="teaching"), name="report")


def test_file(energy_baseline):
    energy_baseline.check("my_net.py", name="file", hardware="teaching", bits=16)
"""

MY_NET = (
    TEST.partition("\n\n\ndef net")[0].replace(", estimate", "")
    + """


def build(filters=4):
    b = GraphBuilder("my_net", (2, 8, 8))
    return b.build(b.conv(b.input, filters, 3, name="conv"))
"""
)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's project, outside of CI."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(test_energy=TEST, my_net=MY_NET)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Pytest in this process, with the plug-in whether energysim is installed or not."""
    return project.runpytest_inprocess(
        "-p", "energysim.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:xdist", *options
    )


def test_missing_then_written_then_compared(project: pytest.Pytester) -> None:
    missing = run(project)
    missing.assert_outcomes(failed=3)
    missing.stdout.fnmatch_lines(
        ["*baselines/report.json: no such baseline; create it: pytest test_energy.py::test_report --energy*"]
    )
    assert not (project.path / "baselines").exists()
    written = run(project, "--energy-update")
    written.assert_outcomes(passed=3)
    written.stdout.fnmatch_lines(
        ["*energy baselines*", "wrote*", "wrote*", "wrote baselines/test_graph.json"]
    )
    files = sorted(p.name for p in (project.path / "baselines").iterdir())
    assert files == ["file.json", "report.json", "test_graph.json"]
    run(project).assert_outcomes(passed=3)
    before = (project.path / "baselines" / "file.json").read_text()
    run(project, "--energy-update").assert_outcomes(passed=3)
    assert (project.path / "baselines" / "file.json").read_text() == before


def test_what_moved_is_told(project: pytest.Pytester) -> None:
    run(project, "--energy-update")
    edit(project.path / "test_energy.py", "def net(filters=4)", "def net(filters=5)")
    result = run(project)
    result.assert_outcomes(failed=2, passed=1)
    text = result.stdout.str()
    assert "input changed: network digest:" in text  # of the graph
    assert "input changed: network parameters: 2646 -> 3305" in text  # 2*4*9 + 4 + 256*10 + 10, and 5 filters
    assert "if this is meant: pytest --energy-update" in text
    assert "Traceback" not in text
    assert "energysim/regression" not in text  # what is ours is hidden
    rows = [line.split() for line in text.splitlines() if " fc " in line and "dram" in line]
    assert any(row[3] == "energy" for row in rows)


def test_a_baseline_with_a_recipe_is_one_for_check_too(project: pytest.Pytester) -> None:
    run(project, "--energy-update")
    recipe = json.loads((project.path / "baselines" / "file.json").read_text())["recipe"]
    assert recipe == {"model": "../my_net.py", "hardware": "teaching", "sparsity": ["dense"], "bits": "16"}
    assert called("check", "baselines/file.json") == 0
    edit(project.path / "my_net.py", "build(filters=4)", "build(filters=3)")
    result = run(project, "-k", "file")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*if this is meant: energysim baseline update baselines/file.json*"])


def test_update_is_refused_in_ci(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    run(project).assert_outcomes(failed=3)
    refused = run(project, "--energy-update")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --energy-update is refused where CI is set*"])
    assert not (project.path / "baselines").exists()
    for value in ("1", "yes", "anything"):
        monkeypatch.setenv("CI", value)
        assert run(project, "--energy-update").ret == pytest.ExitCode.USAGE_ERROR
    monkeypatch.setenv("CI", "false")
    run(project, "--energy-update", "-k", "graph").assert_outcomes(passed=1, deselected=2)
    monkeypatch.setenv("CI", "true")
    run(project, "--energy-update-force").assert_outcomes(passed=3)
    run(project).assert_outcomes(passed=3)


def test_bad_baselines_fail_with_one_message(project: pytest.Pytester) -> None:
    run(project, "--energy-update")
    folder = project.path / "baselines"
    (folder / "report.json").write_text("{")
    (folder / "file.json").write_text((folder / "test_graph.json").read_text())
    result = run(project)
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "baselines/report.json: not a baseline:*",
            "baselines/file.json: a baseline of another network: it is of net on teaching, "
            "the test estimates my_net on teaching",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_names_and_places(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_names="""
        import pytest
        from energysim import estimate

        @pytest.mark.parametrize("hardware", ["teaching", "a/b"])
        def test_each(energy_baseline, hardware):
            energy_baseline.check(estimate("digits_cnn", hardware="teaching"))

        @pytest.mark.parametrize("name", ["../x", "", ".x", "a/b"])
        def test_bad(energy_baseline, name):
            energy_baseline.check("digits_cnn", name=name)

        def test_twice(energy_baseline):
            energy_baseline.check("digits_cnn")
            energy_baseline.check("digits_cnn")

        def test_options_of_a_report(energy_baseline):
            energy_baseline.check(estimate("digits_cnn"), hardware="teaching")

        def test_unknown(energy_baseline):
            energy_baseline.check("digits_cmm")

        def test_time(energy_baseline):
            energy_baseline.check("digits_cnn", hardware="eyeriss168", search_seconds=1)
        """
    )
    project.makeini("[pytest]\nenergy_baselines = kept/here\n")
    result = run(project, "--energy-update", "test_names.py")
    result.assert_outcomes(passed=2, failed=8)
    assert sorted(p.name for p in (project.path / "kept" / "here").iterdir()) == [
        "test_each-a-b.json",
        "test_each-teaching.json",
        "test_twice.json",
    ]
    result.stdout.fnmatch_lines(
        [
            "*a baseline's name has letters, digits and .+=_-, not '../x'*",
            "*has written it already: give check another name=*",
            "*a report is made already: hardware cannot count*",
            "*unknown model 'digits_cmm'; did you mean 'digits_cnn'?*",
            "*search_seconds: numbers that depend on time cannot be held*",
        ]
    )


def test_tolerances(project: pytest.Pytester) -> None:
    text = TEST.replace('name="report")', 'name="report", tolerances="*=-any..+any")')
    text = text.replace("bits=16)", 'bits=16, tolerances=["*=-any..+any"])')
    project.makepyfile(test_energy=text)
    run(project, "--energy-update").assert_outcomes(passed=3)
    edit(project.path / "test_energy.py", "def net(filters=4)", "def net(filters=5)")
    run(project).assert_outcomes(passed=2, failed=1)


MAPPED = """
from energysim import GraphBuilder


def test_mapped(energy_baseline):
    b = GraphBuilder("small", (64,))
    net = b.build(b.linear(b.input, 32, name="fc"))
    energy_baseline.check(net, hardware="eyeriss168", mapping="m.yaml")
"""


def test_the_mapping_of_a_graph_is_an_input(project: pytest.Pytester) -> None:
    """No recipe makes it anew, but what the test gave is known: it was not the engine."""
    project.makepyfile(test_energy=MAPPED)
    path = project.path / "m.yaml"
    path.write_text("schema: energysim-mapping/1\nlayers:\n  fc: {dram: C2, buffer: M32 C32}\n")
    run(project, "--energy-update").assert_outcomes(passed=1)
    edit(path, "{dram: C2, buffer: M32 C32}", "{dram: C4, buffer: M32 C16}  # smaller tiles")
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*input changed: files mapping: *"])


TWICE = """
from test_energy import net

def test_graph(energy_baseline):
    energy_baseline.check(net(5), hardware="teaching")
"""


@pytest.mark.slow
def test_workers_tell_what_they_wrote(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers of pytest-xdist, each with a test of the same name: neither knows of the other."""
    monkeypatch.setenv("PYTHONPATH", HOME)
    project.makepyfile(test_other=TWICE)
    options = ("-n", "2", "--dist", "loadfile", "--energy-update", "-k", "test_graph")
    result = project.runpytest_subprocess("-p", "energysim.pytest_plugin", *options)
    result.assert_outcomes(passed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "wrote baselines?test_graph.json",
            "ERROR baselines?test_graph.json: written by test_energy.py::test_graph and by "
            "test_other.py::test_graph: give check another name=",
        ]
    )


def test_what_workers_wrote_is_put_together() -> None:
    def config(**more: Any) -> Any:
        made = SimpleNamespace(stash=pytest.Stash(), getoption=lambda name: False, **more)
        pytest_plugin.pytest_configure(made)
        return made

    def session(of: Any) -> Any:
        return SimpleNamespace(config=of, exitstatus=0)

    controller = config()
    for test in ("b.py::test", "a.py::test", "a.py::test"):
        worker = config(workeroutput={})
        worker.stash[pytest_plugin._WRITTEN][Path("baselines/test.json")] = test
        pytest_plugin.pytest_sessionfinish(session(worker))
        node: Any = SimpleNamespace(config=controller, workeroutput=worker.workeroutput)
        pytest_plugin.pytest_testnodedown(node, None)
        ended = session(controller)
        pytest_plugin.pytest_sessionfinish(ended)
        assert ended.exitstatus == (0 if test == "b.py::test" else 1)
    pytest_plugin.pytest_testnodedown(SimpleNamespace(config=controller), "crashed")  # tells nothing
    told = "baselines/test.json: written by a.py::test and by b.py::test: give check another name="
    assert set(controller.stash[pytest_plugin._TWICE]) == {told}


def test_a_folder_that_cannot_be_made(project: pytest.Pytester) -> None:
    (project.path / "baselines").write_text("")
    result = run(project, "--energy-update")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*baselines/file.json: cannot be written: *"])


def test_a_baseline_of_the_program_in_a_test(project: pytest.Pytester) -> None:
    for name in ("a", "b"):
        assert called("baseline", "create", "digits_cnn", "-o", f"{name}.json") == 0
    project.makepyfile(
        test_energy="""
        import pytest

        @pytest.mark.parametrize("name", ["a.json", "b.json"])
        def test_kept(energy_baseline, name):
            energy_baseline.check_file(name)
        """
    )
    run(project).assert_outcomes(passed=2)
    edit(project.path / "b.json", '"hardware": "edge45",', '"hardware": "teaching",')
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*b.json*digits_cnn on edge45: *the inputs changed*"])
    run(project, "--energy-update").assert_outcomes(passed=2)
    run(project).assert_outcomes(passed=2)
    (project.path / "b.json").unlink()
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["b.json: no such baseline; create it: energysim baseline create *"])


def test_importing_the_plugin_costs_nothing(process: Process) -> None:
    script = f"import sys, pytest, energysim.pytest_plugin; print([m for m in {HEAVY!r} if m in sys.modules])"
    told = process("-c", script)
    assert (told.returncode, told.stdout) == (0, "[]\n"), told.stderr


def test_a_run_without_the_fixture_loads_nothing(project: pytest.Pytester, process: Process) -> None:
    """Found by its entry point, as in a project where energysim is installed, and named with -p as well."""
    metadata = project.path / "site" / "energysim_of_a_test-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: energysim-of-a-test\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[pytest11]\nenergysim.pytest_plugin = energysim.pytest_plugin\n"
    )
    project.makepyfile(
        test_energy=f"""
        import sys

        def test_nothing(request):
            assert request.config.pluginmanager.has_plugin("energysim.pytest_plugin")
            assert [name for name in {HEAVY!r} if name in sys.modules] == []
        """
    )
    path = os.pathsep.join([str(project.path / "site"), HOME])
    for options in ((), ("-p", "energysim.pytest_plugin")):
        arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options)
        told = process(*arguments, cwd=project.path, PYTHONPATH=path)
        assert told.returncode == 0, told.stdout + told.stderr


def test_the_entry_point_is_the_module() -> None:
    parser = configparser.ConfigParser()
    parser.read(Path(HOME) / "setup.cfg")
    if not parser.has_section("options.entry_points"):
        pytest.skip("not a checkout")
    stated = parser["options.entry_points"]["pytest11"].strip()
    assert stated == "energysim.pytest_plugin = energysim.pytest_plugin"
