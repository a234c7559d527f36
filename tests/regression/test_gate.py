"""The gate, end to end: a seeded regression is caught, named, and told from a change of the inputs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support import HOME, Process

from energysim import row_making
from energysim.regression import baseline_json, check, check_all, checking, parse_tolerance
from energysim.regression.engine import engine_digests
from energysim.walker import estimate

from .small import called, created, edit, flat, gate, project

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a baseline of its network: dense and two schemes."""
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    created("-s", "psconv:PSD4_P8,psconv:PSD1_P16")
    return tmp_path / "base.json"


def test_nothing_changed(net: Path, capsys: Capture) -> None:
    code, found = gate(capsys)
    assert code == 0
    assert found["passed"] is True
    assert (found["changes"], found["inputs"], found["engine"], found["cause"]) == ([], [], [], "")
    assert called("check", "base.json") == 0
    assert "net on soc: no number moved" in flat(capsys.readouterr().out)


def test_one_constant_of_the_specification(net: Path, capsys: Capture) -> None:
    """A buffer read that costs 7 pJ instead of 6: the buffer's energy moves, in all layers with traffic."""
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    code, found = gate(capsys)
    assert code == 1
    assert found["cause"] == "inputs"
    assert found["engine"] == []
    told = {(entry["section"], entry["key"]): (entry["old"], entry["new"]) for entry in found["inputs"]}
    assert told[("constants", "levels.buffer.read")] == ("6 pJ", "7 pJ")
    assert set(told) == {("constants", "levels.buffer.read"), ("hardware", "digest")}
    assert {(c["level"], c["quantity"]) for c in found["changes"]} == {("buffer", "energy_aj")}
    assert {c["layer"] for c in found["changes"]} == {"conv1", "conv2", "fc"}
    first = found["changes"][0]
    sizes = [abs(c["new"] - c["old"]) for c in found["changes"]]
    assert first["layer"] == "conv2"  # the layer with most multiply-adds reads the buffer most
    assert sizes == sorted(sizes, reverse=True)
    assert first["percent"] == 100 * (first["new"] - first["old"]) / first["old"] > 0
    capsys.readouterr()
    assert called("check", "base.json") == 1
    text = capsys.readouterr()
    assert "input changed: levels.buffer.read: 6 pJ -> 7 pJ" in text.out
    assert "the engine is that of the baseline: the change of inputs moved the numbers" in text.out
    assert text.err.startswith("energysim: base.json: ")
    assert "the inputs changed" in text.err


def test_the_change_by_hand(net: Path, capsys: Capture) -> None:
    """Each word read from the buffer costs 1 pJ more: the change of energy is the number of words."""
    before = estimate("net.py", "dense", "soc.yaml").runs[0]
    words = {
        node: sum(a.bits for a in before.accesses if (a.node, a.constant) == (node, "levels.buffer.read"))
        // 16
        for node in ("conv1", "conv2", "fc")
    }
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    _, found = gate(capsys)
    moved = {c["layer"]: c["new"] - c["old"] for c in found["changes"] if c["scheme"] == "dense"}
    assert moved == {node: count * 10**6 for node, count in words.items()}


def test_one_layer_of_the_model(net: Path, capsys: Capture) -> None:
    """Twelve filters instead of eight in conv2: it and the layer that reads it move, conv1 does not."""
    edit(Path("net.py"), "b.conv(x, 8, 3", "b.conv(x, 12, 3")
    code, found = gate(capsys)
    assert code == 1
    assert (found["cause"], found["engine"]) == ("inputs", [])
    assert {"digest", "parameters"} <= {entry["key"] for entry in found["inputs"]}
    assert all(entry["section"] == "network" for entry in found["inputs"])
    assert {c["layer"] for c in found["changes"]} == {"conv2", "relu2", "fc"}
    macs = [
        c for c in found["changes"] if (c["scheme"], c["layer"], c["quantity"]) == ("dense", "conv2", "macs")
    ]
    assert [(c["old"], c["new"]) for c in macs] == [(64 * 4 * 8 * 9, 64 * 4 * 12 * 9)]


def test_one_format(net: Path, capsys: Capture) -> None:
    """The same schemes stored as CSR: side tables and DRAM traffic of the sparse layers move."""
    data = json.loads(net.read_text())
    data["recipe"]["format_weights"] = "csr"
    net.write_text(json.dumps(data))
    code, found = gate(capsys)
    assert code == 1
    assert (found["cause"], found["engine"]) == ("inputs", [])
    assert [(i["section"], i["key"], i["old"], i["new"]) for i in found["inputs"]] == [
        ("settings", "formats", "", "weights csr")
    ]
    assert {c["scheme"] for c in found["changes"]} == {"psconv:PSD4_P8", "psconv:PSD1_P16"}
    assert {c["layer"] for c in found["changes"]} == {"conv2"}  # the first convolution and fc stay dense
    assert {"side_bits", "bits"} <= {c["quantity"] for c in found["changes"]}


def test_an_edited_cost_function(net: Path, process: Process, tmp_path: Path) -> None:
    """A copy of the package in which energies are charged twice."""
    copy = tmp_path / "copy"
    top = Path(HOME)
    shutil.copytree(top / "energysim", copy / "energysim")  # with its byte code, which saves time
    if (top / "models").is_dir():
        for name in ("models", "hwspecs"):
            shutil.copytree(top / name, copy / name)
        shutil.copy(top / "setup.cfg", copy)
    arguments = ("-m", "energysim", "check", "base.json", "--format", "json")
    same = process(*arguments, cwd=tmp_path, PYTHONPATH=str(copy))
    assert same.returncode == 0, same.stderr
    edit(copy / "energysim" / "cost" / "base.py", "joules = ceil_div(", "joules = 2 * ceil_div(")
    told = process(*arguments, cwd=tmp_path, PYTHONPATH=str(copy))
    assert told.returncode == 1, told.stderr
    (found,) = json.loads(told.stdout)["baselines"]
    assert (found["cause"], found["engine"], found["inputs"]) == ("engine", ["cost"], [])
    assert {c["quantity"] for c in found["changes"]} == {"energy_aj"}
    assert found["changes"][0]["layer"] == "fc"  # 5120 weights from DRAM; conv2 has 288


def test_an_edited_cost_function_and_an_edited_specification(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    monkeypatch.setattr(checking, "engine_digests", lambda: {**engine_digests(), "mapping": "other"})
    found = check(net).comparison
    assert found is not None
    assert (found.cause, found.engine) == ("inputs and engine", ("mapping",))


def test_a_function_replaced_while_running(
    net: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The engine's source is as it was: still the engine, as the inputs are the same."""
    made = row_making.AccessRow
    monkeypatch.setattr(
        row_making, "AccessRow", lambda **v: made(**{**v, "energy_aj": v["energy_aj"] + 1000})
    )
    code, found = gate(capsys)
    assert code == 1
    assert (found["cause"], found["engine"], found["inputs"]) == ("engine", [], [])
    capsys.readouterr()
    called("check", "base.json")
    assert "a function replaced while running moved the numbers" in flat(capsys.readouterr().out)


def test_words_of_a_specification_are_no_change(net: Path, capsys: Capture) -> None:
    edit(Path("soc.yaml"), "where: chip specification", "where: page 3")
    code, found = gate(capsys)
    assert (code, found["inputs"]) == (0, [])


def test_inputs_that_move_no_number_are_told(net: Path, capsys: Capture) -> None:
    """A slower clock changes neither energies nor cycles."""
    edit(Path("soc.yaml"), "clock: {value: 1 GHz", "clock: {value: 500 MHz")
    code, found = gate(capsys)
    assert code == 0
    assert ("clock", "1 GHz", "500 MHz") in [(i["key"], i["old"], i["new"]) for i in found["inputs"]]
    capsys.readouterr()
    called("check", "base.json")
    assert "no number moved, though inputs changed" in flat(capsys.readouterr().out)


def test_a_layer_that_comes_or_goes(net: Path, capsys: Capture) -> None:
    edit(
        Path("net.py"),
        'x = b.relu(b.conv(x, 8, 3, padding=1, name="conv2"), name="relu2")',
        'x = b.relu(b.conv(x, 8, 3, padding=1, name="conv3"), name="relu2")',
    )
    code, found = gate(capsys)
    assert code == 1
    there = {(c["layer"], c["old"], c["new"]) for c in found["changes"] if c["quantity"] == "layers"}
    assert there == {("conv2", 1, 0), ("conv3", 0, 1)}
    capsys.readouterr()
    called("check", "base.json", "--top", "99")
    text = capsys.readouterr().out
    assert "gone" in text
    assert "new" in text


def test_tolerances(net: Path, capsys: Capture) -> None:
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 6.03 pJ")
    assert gate(capsys)[0] == 1
    code, found = gate(capsys, "-t", "*.energy_aj=-any..+1%")
    assert (code, found["passed"]) == (0, True)
    assert all(c["allowed"] for c in found["changes"])
    assert "within tolerance" in found["verdict"]
    assert gate(capsys, "-t", "*.energy_aj=-any..+0.1%")[0] == 1
    assert gate(capsys, "-t", "conv*:buffer.*=-any..+1%")[0] == 1  # fc is not named
    assert gate(capsys, "-t", "conv*:buffer.*=-any..+1%", "-t", "fc:*=-any..+1%")[0] == 0
    assert gate(capsys, "-t", "total:energy_aj=-any..+0%", "-t", "*=-any..+any")[0] == 1
    edit(Path("soc.yaml"), "6.03 pJ", "3 pJ")
    assert gate(capsys, "-t", "*.energy_aj=-any..+1%")[0] == 0
    assert gate(capsys, "-t", "*.energy_aj=-1%..+any")[0] == 1
    assert gate(capsys)[0] == 1  # by default numbers may not fall either


def test_unit_costs_come_first_and_explain_the_network(net: Path, capsys: Capture) -> None:
    assert called("baseline", "create", "-w", "soc.yaml", "-o", "unit.json") == 0
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    capsys.readouterr()
    assert called("check", "base.json", "unit.json") == 1
    text = capsys.readouterr().out
    row = next(line.split() for line in text.splitlines() if line.startswith("unit costs  levels"))
    assert row[2:] == ["levels.buffer.read", "-", "unit_energy", "6", "pJ", "7", "pJ", "+16.7", "%"]
    assert text.index("levels.buffer.read") < text.index("conv2")
    assert "base.json: unit costs of soc moved as well: unit.json" in flat(text)


def test_a_tolerance_has_to_name_a_number_of_some_baseline(net: Path, capsys: Capture) -> None:
    """Unit costs have no columns by level: a rule for those is meant for the network beside them."""
    assert called("baseline", "create", "-w", "soc.yaml", "-o", "unit.json") == 0
    assert called("check", "unit.json", "base.json", "-t", "*.energy_aj=-any..+1%") == 0
    assert called("check", "unit.json", "-t", "*.energy_aj=-any..+1%") == 2
    assert "names no column: '*.energy_aj'; did you mean 'unit_energy_aj'?" in capsys.readouterr().err


def test_energies_within_rounding_are_equal(net: Path, capsys: Capture) -> None:
    """Rows are rounded up to whole attojoules: a part in 10^9 is no change; a count is."""
    found = baseline_json.read_baseline(net)
    cells = found.table["dense"]["conv2"]
    cells["dram.energy_aj"] += cells["dram.energy_aj"] // 10**9
    baseline_json.write_baseline(found, net)
    assert gate(capsys)[0] == 0
    cells["dram.energy_aj"] += cells["dram.energy_aj"] // 10**8
    cells["macs"] += 1
    baseline_json.write_baseline(found, net)
    code, told = gate(capsys)
    assert code == 1
    assert [(c["layer"], c["level"], c["quantity"]) for c in told["changes"]] == [
        ("conv2", "dram", "energy_aj"),
        ("conv2", "", "macs"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "base.json: not a baseline: "),
        (
            '{"schema": "energysim-baseline/9"}',
            "base.json: a baseline of a newer schema, energysim-baseline/9",
        ),
        ('{"schema": "energysim-baseline/1"}', "base.json: not a complete baseline: it has no 'schemes'"),
    ],
)
def test_bad_files(net: Path, capsys: Capture, content: str, message: str) -> None:
    net.write_text(content)
    for command in (("check",), ("baseline", "update"), ("baseline", "show")):
        capsys.readouterr()
        assert called(*command, "base.json") == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"energysim: {message}")
        assert told.err.count("\n") == 1
        assert net.read_text() == content


def test_a_truncated_file_wherever_it_ends(net: Path) -> None:
    text = net.read_text()
    for end in range(0, len(text) - 2, 97):
        net.write_text(text[:end])
        (result,) = check_all([net])
        assert result.comparison is None
        assert result.error.startswith(f"{net}: not a ")


def test_a_baseline_of_another_network(net: Path, capsys: Capture) -> None:
    edit(Path("base.json"), '"model": "net.py"', '"model": "digits_cnn"')
    assert called("check", "base.json") == 2
    assert "a baseline of another network: its numbers are of net on soc, its recipe makes digits_cnn" in (
        capsys.readouterr().err
    )


def test_a_moved_model(net: Path, capsys: Capture) -> None:
    Path("net.py").rename("nets.py")
    assert called("check", "base.json") == 2
    told = capsys.readouterr().err
    assert "base.json: its model file net.py is not there; did you mean 'nets.py'?; if it was moved" in told
    assert "energysim baseline create FILE --hardware soc.yaml --sparsity dense" in told


def test_a_model_that_no_longer_loads(net: Path, capsys: Capture) -> None:
    Path("net.py").write_text("def build(:\n")
    assert called("check", "base.json") == 2
    assert "base.json: net.py:1: cannot be loaded: SyntaxError" in capsys.readouterr().err


def test_a_missing_baseline_shows_the_command_that_creates_it(net: Path, capsys: Capture) -> None:
    Path("empty").mkdir()
    assert called("check", "vgg16-eyeriss.json", "unit-edge45.json", "other.json", "empty") == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "energysim: vgg16-eyeriss.json: no such baseline; create it: "
        "energysim baseline create vgg16 --hardware eyeriss -o vgg16-eyeriss.json",
        "unit-edge45.json: no such baseline; create it: "
        "energysim baseline create --hardware edge45 -o unit-edge45.json",
        "other.json: no such baseline; create it: "
        "energysim baseline create MODEL --hardware HARDWARE --sparsity SCHEMES -o other.json",
        "empty: no baseline (*.json) in this folder; create it: "
        "energysim baseline create MODEL --hardware HARDWARE --sparsity SCHEMES -o empty/NAME.json",
    ]


def test_a_tolerance_has_to_name_a_column_of_its_layer(net: Path, capsys: Capture) -> None:
    """Views have no multiply-adds; the other layers do, and a rule for those is no rule for this."""
    assert called("check", "base.json", "-t", "flat:macs=-any..+1%") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(
        "energysim: tolerance 'flat:macs=-any..+1%' names no column of 'flat': 'macs' (layers"
    )
    assert called("check", "base.json", "-t", "f*:macs=-any..+1%") == 0  # fc has some


def test_from_any_folder(net: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    assert called("check", "../../base.json") == 0
    monkeypatch.chdir("/")
    assert called("check", str(net)) == 0


def test_wrong_use(net: Path, capsys: Capture) -> None:
    for options, message in (
        (("base.json", "-t", "macs"), "a tolerance is [LAYERS:]COLUMNS="),
        (("base.json", "-t", "mac=-1%..+1%"), "names no column: 'mac'; did you mean 'macs'?"),
        ((), "missing argument 'BASELINES...'"),
        (("base.json", "--top", "0"), "'--top'"),
        (("base.json", "-o", "x.csv"), "check writes no csv (github, json, junit, markdown, table)"),
        (("base.json", "-o", "x.xml"), "the suffix says no format"),
    ):
        capsys.readouterr()
        assert called("check", *options) == 2, options
        assert message in capsys.readouterr().err
    assert not Path("x.csv").exists()


def test_the_interface_in_python(net: Path) -> None:
    assert check("base.json").passed
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 6.03 pJ")
    assert not check(net).passed
    assert check(net, [parse_tolerance("*.energy_aj=-any..+1%")]).passed


@pytest.mark.slow
def test_baselines_and_checks_are_the_same_bytes_everywhere(
    net: Path, process: Process, tmp_path: Path
) -> None:
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    words = ("-m", "energysim", "baseline", "create", "net.py", "-s", "all", "-o")
    for seed, name in (("0", "C"), ("17", "C.UTF-8")):
        made = process(*words, f"{seed}.json", cwd=tmp_path, PYTHONHASHSEED=seed, LC_ALL=name)
        assert made.returncode == 0, made.stderr
    assert Path("0.json").read_bytes() == Path("17.json").read_bytes()
    arguments = ("-m", "energysim", "check", "base.json", "--format", "json")
    told = {
        process(*arguments, cwd=tmp_path, PYTHONHASHSEED=seed, LC_ALL=name).stdout
        for seed, name in (("0", "C"), ("17", "C.UTF-8"))
    }
    assert len(told) == 1
    assert json.loads(told.pop())["passed"] is False
    assert os.fspath(tmp_path) not in str(told)
