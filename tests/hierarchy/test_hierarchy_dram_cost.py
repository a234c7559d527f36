"""Layers on hierarchies whose DRAM is made of devices: as with two levels, within the gap, or refused."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from energysim.cost.base import LayerCost, Setting
from energysim.cost.dram_commands import device_value
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.cost.two_level import evaluate_tiling
from energysim.errors import SpecError, UsageError
from energysim.hardware import describe_hardware, load_hardware
from energysim.hardware.dram_system import DeviceDram
from energysim.hardware.hierarchy import Hierarchy, HierarchyHardware, SpatialAxis
from energysim.mapping import Rules, Tiling
from energysim.mapping.hierarchy import dram_stream
from energysim.mapping.hierarchy.mapping import MappingError, parse_mapping
from energysim.workload import LoopNest, Operand, StreamWorkload

from .base import INPUTS, OUTPUTS, TENSORS, WEIGHTS, conv, random_nest
from .brute_force import all_mappings
from .test_hierarchy_phases import up
from .test_hierarchy_timeloop import work
from .test_hierarchy_two_level import mapping_of

DEVICE = "{word_bits: 64, device: ddr4_8gb_x16_2400}"


@pytest.fixture(scope="module")
def board(two_levels: HierarchyHardware, tmp_path_factory: pytest.TempPathFactory) -> HierarchyHardware:
    """The two levels beside four DDR4 devices, which share a bus of 64 bit."""
    return loaded(tmp_path_factory.mktemp("specs"), f"levels: {{dram: {DEVICE}}}\n")


def loaded(folder: Path, more: str, parent: str = "eyeriss168") -> HierarchyHardware:
    path = folder / "board.yaml"
    path.write_text(f"schema: energysim-hardware/1\nname: board\nextends: {parent}\n{more}")
    found = load_hardware(path)
    assert isinstance(found, HierarchyHardware)
    return found


def two(
    board: HierarchyHardware, two_levels: HierarchyHardware, words: int | None = None
) -> HierarchyHardware:
    """DRAM of devices and a buffer for all tensors."""
    dram, buffer = board.hierarchy.levels[0], two_levels.hierarchy.levels[1]
    buffer = replace(buffer, keep=TENSORS, capacity_bits=None if words is None else 16 * words)
    return replace(board, hierarchy=Hierarchy((dram, buffer)), buffer=two_levels.buffer)


def setting(hardware: HierarchyHardware, objective: str = "energy", rules: Rules | None = None) -> Setting:
    return Setting(hardware, rules or Rules(tiles="divisors"), objective, 16, 16, 16)


def best(nest: LoopNest, given: Setting) -> LayerCost:
    return HierarchyModel().evaluate((work(nest),), given)[0]


def dram_rows(cost: LayerCost) -> set[tuple[str, str, int, int, int]]:
    return {(a.tensor, a.action, a.elements, a.bits, a.energy_aj) for a in cost.accesses if a.level == "dram"}


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_the_two_level_model(
    seed: int, board: HierarchyHardware, two_levels: HierarchyHardware
) -> None:
    rng = random.Random(seed)
    nest = random_nest(rng, 5000, dense=True)
    sizes = (nest.batch, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs)
    tiling = Tiling(tuple(rng.randrange(1, size + 1) for size in sizes), "".join(rng.sample("NMCPQ", 5)))
    rules = Rules(
        padding=rng.choice(["skipped", "fetched"]),
        untouched=rng.choice(["skipped", "fetched"]),
        overlap=rng.choice(["one-axis", "none"]),
        first_read=rng.choice(["elided", "counted"]),
    )
    plain = replace(load_hardware("teaching"), dram=board.dram, clock_hz=board.clock_hz)
    expected = evaluate_tiling(work(nest), Setting(plain, rules, "energy", 16, 16, 16), tiling)
    given = setting(two(board, two_levels), rules=rules)
    cost = evaluate_mapping(work(nest), given, mapping_of(nest, tiling))
    assert dram_rows(cost) == dram_rows(expected)
    assert cost.cycles == expected.cycles and dict(cost.times)["dram"] == dict(expected.times)["dram"]


def test_rows_by_hand(board: HierarchyHardware, two_levels: HierarchyHardware) -> None:
    # 4 filters of 4 channels, 1x1, 8x8 pixels of 16 bits; bursts of 64 bytes, rows of 8 KiB.
    nest = conv(4, 4, 8, window=1)
    cost = evaluate_mapping(work(nest), setting(two(board, two_levels)), parse_mapping("buffer: M4 C4 P8 Q8"))
    clocks = Fraction(1024) / 10**9 * 10**9 / Fraction("0.83")
    read, write, opened = (4 * Fraction(e) for e in ("780.864", "721.104", "2060.724"))
    found = {
        (a.tensor, a.action): (a.elements, a.bits, Fraction(a.energy_aj, 10**6))
        for a in cost.accesses
        if a.level == "dram"
    }
    assert found["weights", "read"] == (16, 512, read)  # 32 bytes, half a burst
    assert found["inputs", "read"] == (256, 8 * 512, 8 * read)
    assert found["outputs", "write"] == (256, 8 * 512, 8 * write)
    assert [found[t, "activate"] for t in ("weights", "inputs", "outputs")] == [(1, 0, opened)] * 3
    assert found["", "background"][0] == -(-clocks.numerator // clocks.denominator) == 1234
    assert cost.cycles == 4 * 256 and dict(cost.times)["dram"] == 57  # 17 bursts at 154.2 bit a cycle
    assert cost.energy_aj == sum(a.energy_aj for a in cost.accesses)


def test_pieces_of_rows_cost_more(board: HierarchyHardware, two_levels: HierarchyHardware) -> None:
    nest, given = conv(1, 4, 32, window=1), setting(two(board, two_levels))
    rows, columns = (
        evaluate_mapping(work(nest), given, parse_mapping(text))
        for text in ("dram: P4; buffer: C4 P8 Q32", "dram: Q8; buffer: C4 P32 Q4")
    )

    def elements(cost: LayerCost) -> set[tuple[str, str, int]]:
        return {row[:3] for row in dram_rows(cost) if row[1] in ("read", "write")}

    assert elements(rows) == elements(columns)
    assert [sum(row[3] for row in dram_rows(cost)) // 512 for cost in (rows, columns)] == [
        1 + 128 + 32,
        1 + 1024 + 256,
    ]
    assert rows.energy_aj < columns.energy_aj


@pytest.mark.parametrize("words", [24, pytest.param(60, marks=pytest.mark.slow)])
def test_no_mapping_is_better_than_the_gap_says(
    words: int, board: HierarchyHardware, two_levels: HierarchyHardware
) -> None:
    nest, given = conv(2, 2, 4, window=1), setting(two(board, two_levels, words))
    every = []
    for mapping in all_mappings(given.hardware.hierarchy, nest):
        with suppress(MappingError):
            every.append(evaluate_mapping(work(nest), given, mapping))
    for objective in ("energy", "dram", "delay", "edp"):
        found = best(nest, replace(given, objective=objective))
        values = [device_value(cost, objective)[0] for cost in every]
        value = device_value(found, objective)[0]
        assert value in values and found.mapping and found.mappings > 1
        assert 0 <= found.gap < 1
        if not found.optimal:
            assert found.gap and value * (1 - found.gap) <= min(values) <= value
            continue
        assert value == min(values)
        equals = [cost.energy_aj for cost in every if device_value(cost, objective)[0] == value]
        assert found.energy_aj * (1 - found.gap) <= min(equals) <= found.energy_aj


def test_whole_rows_where_the_price_sees_no_difference(
    board: HierarchyHardware, two_levels: HierarchyHardware
) -> None:
    # Tiles of 32 columns of one row, or of one column of 32 rows: the same words.
    found = best(conv(1, 1, 64, window=1), setting(two(board, two_levels, 2 * 32 * 64 + 1)))
    assert "Q64" in found.mapping


def test_an_array_whose_weights_come_straight_from_dram(tmp_path: Path) -> None:
    chip = loaded(tmp_path, f"levels: {{dram: {DEVICE}}}\n")
    nest = conv(16, 8, 14)
    cost = best(nest, setting(chip))
    plain = best(nest, setting(load_hardware("eyeriss168")))
    words = {(a.tensor, a.action): a.elements for a in cost.accesses if a.level == "dram"}
    assert words["weights", "activate"] >= 1 and 0 <= cost.gap < 0.2
    assert words["outputs", "write"] == nest.output_elements
    assert words["weights", "read"] % nest.kernel.nonzeros == 0
    assert {a.level for a in cost.accesses} == {a.level for a in plain.accesses}
    again = evaluate_mapping(work(nest), setting(chip), parse_mapping(cost.mapping))
    assert (again.accesses, again.cycles) == (cost.accesses, cost.cycles)


def test_streams_read_through(board: HierarchyHardware) -> None:
    stream = StreamWorkload((Operand((1, 4, 8, 8)),), (Operand((1, 4, 4, 4)),), (256,), 64)
    (cost,) = HierarchyModel().evaluate((stream,), setting(board))
    found = {(a.tensor, a.action): a.bits // 512 for a in cost.accesses if a.level == "dram" and a.bits}
    assert found == {("inputs", "read"): 8, ("outputs", "write"): 2}


def test_refused(
    board: HierarchyHardware, two_levels: HierarchyHardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    dram, buffer = two(board, two_levels).hierarchy.levels
    nest = conv(4, 4, 4, window=1)

    def why(text: str, *nodes: object) -> str:
        given = setting(replace(board, hierarchy=Hierarchy((dram, *nodes))))
        with pytest.raises(MappingError) as caught:
            evaluate_mapping(work(nest), given, parse_mapping(text))
        return str(caught.value)

    without = replace(buffer, keep=(INPUTS, OUTPUTS), bypass=(WEIGHTS,))
    everything = "buffer: M4 C4 P4 Q4"
    assert "no level holds weights between DRAM and the multipliers" in why(everything, without)
    alone = SpatialAxis("Y", 2, "C", shared=(WEIGHTS, INPUTS))
    assert "axis 'Y' does not add up outputs" in why("Y: C2; buffer: M4 C2 P4 Q4", alone, buffer)
    with pytest.raises(MappingError, match="no level holds weights"):
        best(nest, setting(replace(board, hierarchy=Hierarchy((dram, without)))))
    with pytest.raises(UsageError, match="where outputs would lie in a DRAM of devices is not defined"):
        best(up(2, 2, 0), setting(two(board, two_levels)))
    monkeypatch.setattr(dram_stream, "STEPS", 3)
    assert "in more than 3 transfers" in why("dram: Q4; buffer: M4 C4 P4", buffer)


def test_specifications(tmp_path: Path, board: HierarchyHardware) -> None:
    assert isinstance(board.dram, DeviceDram)
    dram = board.hierarchy.levels[0]
    assert (dram.word_bits, dram.read.value) == (512, 4 * Fraction("780.864"))
    assert dram.bandwidth == board.dram.bandwidth
    assert [c.path for c in board.constants].count("levels.dram.bandwidth") <= 1
    shown = dict(describe_hardware(board))
    assert shown["dram"] == "4 GiB, 1 x 1 x 4 ddr4_8gb_x16_2400" and "dram background" in shown
    limited = loaded(
        tmp_path, "levels: {dram: {word_bits: 64, device: ddr4_8gb_x16_2400, bandwidth: 4 GB/s}}\n"
    )
    assert limited.hierarchy.levels[0].bandwidth == limited.dram.bandwidth
    assert limited.dram.bandwidth is not None and limited.dram.bandwidth.value == 32
    for text, message in (
        ("buffer: {word_bits: 64, device: DDR}", "only 'dram' is made of devices, not 'buffer'"),
        ("dram: {word_bits: 24, device: DDR}", "dram.device: devices of 16 bit are no bus of 24 bit"),
        ("dram: {word_bits: 64, device: DDR0}", "did you mean 'ddr4_8gb_x16_2400'?"),
        (
            "dram: {word_bits: 64, device: DDR, update: {value: 1 pJ, kind: assumed, note: x}}",
            "'update' is given beside a 'device'",
        ),
    ):
        text = f"levels: {{{text}}}\n".replace("DDR0", "ddr4_8gb_x16_240").replace("DDR", "ddr4_8gb_x16_2400")
        with pytest.raises(SpecError, match=message.replace("?", r"\?")) as caught:
            loaded(tmp_path, text)
        assert "board.yaml:4:" in str(caught.value)
