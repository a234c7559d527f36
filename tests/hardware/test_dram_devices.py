"""DRAM devices: energies against published figures, files and specifications that name them."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from energysim.errors import SpecError, UnknownNameError
from energysim.hardware import load_hardware
from energysim.hardware.dram_files import device_names, load_device
from energysim.hardware.dram_system import DeviceDram, DramSystem
from energysim.mapping.row_buffers import RowBuffers
from energysim.resources import data_folder

from .base import BASE, messages, written

# Per device, derived from the currents and timings of umd-memsys/DRAMsim3@2981759: burst read, burst
# write, activate and precharge [pJ]; read from an open row, read of one burst per row [pJ/bit].
PUBLISHED = {
    "ddr3_4gb_x16_1600": (1269, 837, 1529, "9.91", "21.86"),
    "ddr3_8gb_x8_1600": (500, 500, 1331, "7.80", "28.61"),
    "ddr4_8gb_x16_2400": (781, 721, 2061, "6.10", "22.20"),
    "lpddr3_8gb_x32_1600": (1374, 1344, 1408, "5.37", "10.87"),
}

# DRAMsim3 itself, 40,000 reads: activations and reads [pJ/bit], one address after the other and at
# random; the width of its bus and the bytes between addresses in order.
DRAMSIM3 = {
    "ddr3_4gb_x8_1600": ("10.17", "25.49", 64),
    "ddr4_8gb_x8_2400": ("6.97", "15.06", 64),
    "lpddr3_8gb_x32_1600": ("4.33", "8.70", 64),
    "lpddr4_8gb_x16_2400": ("7.43", "15.62", 64),
    "gddr5_8gb_x32": ("2.21", "7.06", 128),
    "hbm2_8gb_x128": ("1.62", "3.19", 128),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_commands_cost_what_is_published(name: str) -> None:
    device = load_device(name)
    read, write, activate, hit, miss = PUBLISHED[name]
    # To the last digit given; 499.5 pJ is published as 500.
    assert abs(device.read_pj - read) <= Fraction(1, 2)
    assert abs(device.write_pj - write) <= Fraction(1, 2)
    assert abs(device.activate_pj - activate) <= Fraction(1, 2)
    assert abs(device.read_pj / device.burst_bits - Fraction(hit)) <= Fraction(5, 1000)
    each = (device.read_pj + device.activate_pj) / device.burst_bits
    assert abs(each - Fraction(miss)) <= Fraction(5, 1000)


def _energy_per_bit(system: DramSystem, addresses: np.ndarray) -> Fraction:
    """Activations and bursts of reads that share none, per bit moved [pJ]."""
    banks = RowBuffers(system.banks, system.device.rows)
    opened = int(banks.visit(addresses * 8 // system.row_bits).sum())
    device, reads = system.device, len(addresses)
    return (opened * device.activate_pj + reads * device.read_pj) / (reads * device.burst_bits)


@pytest.mark.parametrize("name", DRAMSIM3)
def test_reads_cost_what_dramsim3_counts(name: str) -> None:
    """Within 0.6 %, in its unit: it multiplies V, mA and clocks, not nanoseconds, and calls that pJ."""
    in_order, at_random, bus = DRAMSIM3[name]
    device = load_device(name)
    system = DramSystem(device, 1, 1, bus // device.width_bits, "row:bank:column")
    reads = 40_000
    ordered = np.arange(reads, dtype=np.int64) * 64
    state, scattered = 1, []
    for _ in range(reads):  # Knuth's MMIX constants
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        scattered.append((state >> 20) % (system.capacity_bits // 512) * 64)
    for addresses, published in ((ordered, in_order), (np.array(scattered), at_random)):
        ours = _energy_per_bit(system, addresses) / device.clock_period
        assert abs(ours / Fraction(published) - 1) < Fraction(6, 1000), (float(ours), published)


def test_shipped_devices() -> None:
    assert len(device_names()) == 9
    for name in device_names():
        device = load_device(name)
        assert device.name == name
        # capacities in the names: 4gb, 8gb
        assert device.capacity_bits == int(name.partition("gb")[0][-1]) * 2**30
        assert device.width_bits == int(name.rpartition("_x")[2].partition("_")[0])
        assert "DRAMsim3" in device.source


def test_placeholder_says_so() -> None:
    """The currents in the published LPDDR4 file are those of DDR4: not to be used as LPDDR4."""
    fake, true = load_device("lpddr4_8gb_x16_2400"), load_device("ddr4_8gb_x16_2400")
    for current in ("idd0", "idd2n", "idd3n", "idd4r", "idd4w", "idd5ab"):
        assert getattr(fake, current) == getattr(true, current)
    assert fake.kind == "assumed"
    assert "placeholder" in fake.caveat
    assert not true.caveat


def test_unknown_device_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ddr4_8gb_x16_2400'"):
        load_device("ddr4_8gb_x16_2440")


DRAM = """\
    word_bits: 64
    read: {value: 512 pJ, source: book, kind: published}
    write: {value: 256 pJ, source: book, kind: assumed}
    bandwidth: 1 GB/s
"""


def spec(dram: str) -> str:
    assert BASE.count(DRAM) == 1
    return BASE.replace(DRAM, dram)


def test_specification_names_a_device(tmp_path: Path) -> None:
    hardware = load_hardware(
        written(
            tmp_path,
            spec(
                "    word_bits: 32\n    device: {name: ddr4_8gb_x16_2400, channels: 2, ranks: 3, devices_per_rank: 2, mapping: bank:row:column, row_policy: open}\n"
            ),
        )
    )
    dram = hardware.dram
    assert isinstance(dram, DeviceDram)
    assert (dram.system.channels, dram.system.ranks, dram.system.devices_per_rank) == (2, 3, 2)
    assert dram.system.mapping == "bank:row:column"
    assert dram.capacity_bits == 2 * 3 * 2 * 2**33
    assert dram.word_bits == 2 * 16 * 8
    assert dram.system.row_bits == 2 * 16 * 1024
    assert dram.system.banks == 2 * 3 * 8
    # 1.2 V * (243 - 47) mA * 4 clocks * 0.83 ns, two devices; standby 1.2 V * 47 mA * 0.83 ns, all twelve
    assert dram.read.value == 2 * Fraction("780.864")
    assert dram.standby.value == 12 * Fraction("46.812")
    # 1.2 V * (280 - 47) mA * 420 clocks * 0.83 ns
    assert dram.refresh.value == 12 * Fraction("97468.56")
    # 2 channels x 32 bit x 2 transfers in 0.83 ns, at 100 MHz
    assert dram.bandwidth is not None
    assert dram.bandwidth.value == 2 * 32 * 2 / Fraction("0.83") * 10
    assert {c.kind for c in (dram.read, dram.write, dram.activate, dram.refresh, dram.standby)} == {"derived"}
    assert all("DRAMsim3" in c.source for c in hardware.constants if "device" in c.path)


def test_short_form_and_defaults(tmp_path: Path) -> None:
    dram = load_hardware(written(tmp_path, spec("    word_bits: 64\n    device: lpddr3_8gb_x32_1600\n"))).dram
    assert isinstance(dram, DeviceDram)
    system = dram.system
    assert (system.channels, system.ranks, system.devices_per_rank, system.mapping, system.row_policy) == (
        1, 1, 2, "row:bank:column", "open",
    )  # fmt: skip


def test_device_of_the_user_lies_beside_the_specification(tmp_path: Path) -> None:
    shipped = (data_folder("hwspecs") / "dram" / "hbm2_8gb_x128.yaml").read_text("utf-8")
    (tmp_path / "parts").mkdir()
    written(tmp_path / "parts", shipped.replace("name: hbm2_8gb_x128", "name: mine"), "mine.yaml")
    path = written(tmp_path, spec("    word_bits: 128\n    device: parts/mine.yaml\n"))
    dram = load_hardware(path).dram
    assert isinstance(dram, DeviceDram)
    assert dram.system.device.name == "mine"
    # a specification in another folder that extends this one finds it too
    (tmp_path / "other").mkdir()
    child = written(
        tmp_path / "other",
        "schema: energysim-hardware/1\nname: child\nextends: ../small.yaml\n",
        "child.yaml",
    )
    assert load_hardware(child).dram == dram


def test_extending_replaces_one_kind_of_energy_by_the_other(tmp_path: Path) -> None:
    head = "schema: energysim-hardware/1\nname: child\nextends: edge45\nlevels:\n  dram:\n"
    devices = written(tmp_path, head + "    device: ddr4_8gb_x16_2400\n", "devices.yaml")
    dram = load_hardware(devices).dram
    assert isinstance(dram, DeviceDram)
    assert dram.bandwidth is not None
    assert dram.bandwidth.path == "levels.dram.device.bandwidth"  # not that of the LPDDR4 of edge45
    back = head.replace("edge45", "devices.yaml").replace("child", "back")
    energy = "{value: 10 pJ, kind: assumed, note: a guess}"
    plain = load_hardware(
        written(tmp_path, f"{back}    read: {energy}\n    write: {energy}\n", "back.yaml")
    ).dram
    assert not isinstance(plain, DeviceDram)
    assert plain.read.value == 10


@pytest.mark.parametrize(
    ("dram", "message"),
    [
        ("    word_bits: 64\n    device: ddr4_8gb_x16_240\n", "8:13: levels.dram.device: unknown DRAM device 'ddr4_8gb_x16_240'; did you mean 'ddr4_8gb_x16_2400'?"),
        (DRAM + "    device: ddr4_8gb_x16_2400\n", "levels.dram.device: 'read' is given beside a 'device', which fixes it; give one of them"),
        ("    word_bits: 64\n    capacity: 1 GiB\n    device: ddr4_8gb_x16_2400\n", "levels.dram.device: 'capacity' is given beside a 'device'"),
        ("    word_bits: 64\n    device: {name: ddr4_8gb_x16_2400, channels: 0}\n", "levels.dram.device.channels: should be greater than or equal to 1, got 0"),
        ("    word_bits: 64\n    device: {name: ddr4_8gb_x16_2400, mapping: column:row:bank}\n", "levels.dram.device.mapping: expected 'row:bank:column' or 'bank:row:column', got 'column:row:bank'"),
        ("    word_bits: 64\n    device: {name: ddr4_8gb_x16_2400, row_policy: closed}\n", "levels.dram.device.row_policy: expected 'open', got 'closed'"),
        ("    word_bits: 64\n    device: {name: ddr4_8gb_x16_2400, chanels: 1}\n", "unknown key 'chanels'; did you mean 'channels'?"),
        ("    word_bits: 24\n    device: ddr4_8gb_x16_2400\n", "levels.dram.device: devices of 16 bit are no bus of 24 bit, the 'word_bits'; a rank has word_bits / 16 devices"),
        ("    word_bits: 64\n    device: {name: ddr4_8gb_x16_2400, devices_per_rank: 2}\n", "2 devices of 16 bit are no bus of 64 bit"),
        ("    word_bits: 64\n    device: ddr4_8gb_x16_2400\n    bandwidth: 20 GB/s\n", "levels.dram.bandwidth: 160 Gbit/s are more than the 154.2 Gbit/s of these devices"),
        ("    word_bits: 64\n", "levels.dram: no energy: give 'read' and 'write', or an 'energy_table', or a 'device'"),
        ("    word_bits: 64\n    device: 5\n", "levels.dram.device: expected a mapping {name: ..., channels: ..."),
        ("    word_bits: 64\n    device: none.yaml\n", "none.yaml: no such file"),
    ],
    ids=lambda value: value.strip().splitlines()[-1].strip()[:40],
)  # fmt: skip
def test_what_is_wrong_with_a_device_is_said(dram: str, message: str, tmp_path: Path) -> None:
    (found,) = messages(written(tmp_path, spec(dram)))
    assert message in found
    assert found.startswith("small.yaml:")


def test_time_needs_a_clock(tmp_path: Path) -> None:
    text = spec("    word_bits: 64\n    device: ddr4_8gb_x16_2400\n").replace("clock: 100 MHz\n", "")
    (found,) = messages(written(tmp_path, text))
    assert found.endswith("clock: missing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("IDD4R: 243 mA", "IDD4R: 40 mA", "currents: the currents give read an energy of -27.888 pJ, below zero"),
        ("clock_period: 0.83 ns", "clock_period: 0.8312345 ns", "finer than 1 aJ"),
        ("IDD0: 80 mA", "IDD0: 80 mV", "currents.IDD0: '80 mV' is a voltage; expected a current"),
        ("row_words: 1024", "row_words: 1020", "row_words: a row of 1020 words is no whole number of bursts of 8"),
        ("clocks: {tRAS: 39,", "clocks: {tRSA: 39,", "unknown key 'tRSA'; did you mean 'tRAS'?"),
        ("kind: published", "kind: guessed", "kind: expected 'measured', 'published' or 'assumed', got 'guessed'"),
        ("banks: 8", "banks: 0", "banks: should be greater than or equal to 1, got 0"),
        ("voltage: 1.2 V", "voltage: 1.2", "voltage: 1.2 has no unit; expected a voltage"),
        ("schema: energysim-dram/1", "schema: energysim-dram/2", "schema: expected 'energysim-dram/1'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_device_file_is_said(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = (data_folder("hwspecs") / "dram" / "ddr4_8gb_x16_2400.yaml").read_text("utf-8")
    assert text.count(old) == 1
    with pytest.raises(SpecError) as error:
        load_device(str(written(tmp_path, text.replace(old, new), "device.yaml")))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("text", ["- 1\n", "", "a: [", "just text\n", "schema: energysim-hardware/1\n"])
def test_a_file_that_is_no_device(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"device\.yaml"):
        load_device(str(written(tmp_path, text, "device.yaml")))
