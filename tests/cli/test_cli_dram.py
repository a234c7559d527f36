"""DRAM devices from the command line: reports, lists, refusals."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from energysim.cli import cli, main
from energysim.hardware import hardware_schema
from energysim.hardware.dram_files import device_names
from energysim.report import Report
from energysim.resources import data_folder
from energysim.walker import estimate

HEAD = "schema: energysim-hardware/1\nname: {}\nextends: edge45\nlevels:\n  dram:\n    device: {}\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def spec(folder: Path, device: str, name: str = "board") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(HEAD.format(name, device))
    return str(path)


def test_every_device_is_listed_with_its_caveat() -> None:
    lines = run("list", "dram").stdout.splitlines()
    assert [line.split()[0] for line in lines[2 : 2 + len(device_names())]] == device_names()
    assert "2061" in next(line for line in lines if line.startswith("ddr4_8gb_x16_2400"))
    assert any(line.startswith("caveat of lpddr4_8gb_x16_2400: ") for line in lines)


def test_report_of_devices_round_trips(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    board = spec(tmp_path, "ddr4_8gb_x16_2400")
    report = estimate("resnet18-cifar10", "psconv", board)
    out.write_text(report.to_json())
    assert Report.from_json(out.read_text()).to_json() == report.to_json()
    rows = json.loads(out.read_text())["runs"][0]["accesses"]
    at = {name: number for number, name in enumerate(rows["columns"])}
    actions = {row[at["action"]] for row in rows["rows"] if row[at["level"]] == "dram"}
    assert actions == {"activate", "read", "write", "background", "refresh"}
    for run_ in report.runs:
        cycles = {row.node: row.cycles for row in run_.layers}
        for row in run_.accesses:
            if row.level == "dram" and row.action in ("read", "write"):
                assert row.bits % 512 == 0  # bursts of 4 devices x 16 bit x 8
            if row.action == "background":  # 200 MHz against 0.83 ns
                assert row.elements == -(-cycles[row.node] * 500 // 83)
    assert all(row.optimal is False and 0 < row.gap < 1 for row in report.runs[0].layers if row.mappings)


def test_mappings_of_vgg16_are_close_to_the_bound_of_all(tmp_path: Path) -> None:
    """As the documentation says: the best of three leaves less than 0.7 % of a layer's energy."""
    (run_,) = estimate("vgg16", hardware=spec(tmp_path, "ddr4_8gb_x16_2400")).runs
    gaps = [row.gap for row in run_.layers if row.mappings]
    assert len(gaps) == 16
    assert max(gaps) < Fraction(7, 1000)


def test_report_says_what_the_dram_is(tmp_path: Path) -> None:
    text = run("estimate", "resnet18-cifar10", "--hardware", spec(tmp_path, "lpddr4_8gb_x16_2400")).stdout
    plain = " ".join(text.split())
    assert (
        "DRAM: 1 x 1 x 4 lpddr4_8gb_x16_2400 (channels x ranks x devices), addresses row:bank:column" in plain
    )
    assert "DRAM CAVEAT of lpddr4_8gb_x16_2400: the currents are those of ddr4_8gb_x16_2400" in plain
    assert "levels.dram.device.activate = 6956.064 pJ" in plain  # assumed: 4 x 1739.016 pJ
    assert "DRAM mapping: the one that is best in commands of three" in plain
    sparse = run(
        "estimate",
        "resnet18-cifar10",
        "--sparsity",
        "psconv",
        "--hardware",
        spec(tmp_path, "ddr4_8gb_x16_2400"),
    ).stdout
    assert sparse.count("DRAM mapping:") == 1
    assert "CAVEAT" not in sparse
    assert "DRAM mapping:" not in run("estimate", "resnet18-cifar10").stdout


def test_hardware_is_shown_with_its_devices(tmp_path: Path) -> None:
    board = spec(tmp_path, "{name: lpddr3_8gb_x32_1600, channels: 2}")
    text = run("show", "hardware", board, "--sources").stdout
    assert "2 x 1 x 2 lpddr3_8gb_x32_1600" in text
    assert "row:bank:column, row policy open, bursts of 64 B, rows of 8 KiB" in text
    assert "VDD (IDD0 tRC - IDD3N tRAS - IDD2N tRP), precharge included" in text


def refused(capture: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the program on bad input; return its message."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    told = capture.readouterr()
    assert caught.value.code == 2
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


GUESS = "{value: 1 pJ, kind: assumed, note: a guess}"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("ddr4_8gb_x16", "unknown DRAM device 'ddr4_8gb_x16'; did you mean 'ddr4_8gb_x16_2400'?"),
        ("{name: ddr4_8gb_x16_2400, channels: 0}", "channels: should be greater than or equal to 1, got 0"),
        (f"ddr4_8gb_x16_2400\n    read: {GUESS}\n    write: {GUESS}", "'read' is given beside a 'device'"),
        ("{name: hbm2_8gb_x128}", "devices of 128 bit are no bus of 64 bit"),
    ],
)
def test_what_cannot_be_used_ends_with_two(
    device: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, "estimate", "resnet18-cifar10", "--hardware", spec(tmp_path, device))


def test_what_the_dram_does_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AlexNet has 61,090,496 weights of a byte without biases, 37,748,736 of them in its largest layer."""
    text = (data_folder("hwspecs") / "dram" / "ddr4_8gb_x16_2400.yaml").read_text("utf-8")
    board = spec(tmp_path, "tiny.yaml")
    # A device row of all banks and devices: 8 x 1024 words x 16 bit x 4 devices = 64 KiB.
    for rows, message in (
        (640, "the DRAM of 'board' has 335544320 (1 x 1 x 4 ddr4_8gb_x16_2400); 2 channels would do"),
        (512, "layer 'classifier.fc6' on 'board': its tensors take 4611 rows of DRAM and there are 4096"),
    ):
        (tmp_path / "tiny.yaml").write_text(text.replace("rows: 65536", f"rows: {rows}"))
        assert message in refused(capsys, "estimate", "alexnet", "--hardware", board)
    (tmp_path / "tiny.yaml").write_text(text.replace("rows: 65536", "rows: 1024"))
    assert run("estimate", "alexnet", "--hardware", board).exit_code == 0


def test_editors_check_devices() -> None:
    schema = hardware_schema()
    base = {"schema": "energysim-hardware/1", "name": "a", "extends": "edge45"}
    for good in ("ddr4_8gb_x16_2400", {"name": "x", "channels": 2, "mapping": "bank:row:column"}):
        jsonschema.validate({**base, "levels": {"dram": {"device": good}}}, schema)
    for bad in (3, {"name": "x", "channels": 0}, {"name": "x", "speed": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**base, "levels": {"dram": {"device": bad}}}, schema)
