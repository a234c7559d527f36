"""Layers on DRAM devices with round numbers: rows by hand, the gap against all mappings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import permutations, product
from typing import Any

import pytest

from energysim.cost import LayerCost
from energysim.cost.dram_commands import device_value
from energysim.cost.streams import evaluate_stream
from energysim.cost.two_level import TwoLevel, evaluate_tiling
from energysim.errors import CapacityError
from energysim.hardware import Hardware
from energysim.hardware.build_dram import device_dram
from energysim.hardware.dram_device import DramDevice
from energysim.hardware.dram_system import DramSystem
from energysim.mapping import Rules, Tiling
from energysim.windows import Axis
from energysim.workload import MacWorkload, Operand, StreamWorkload

from .small import conv, hardware, pj, rows, setting

# 1 V; bursts of 4 bytes in 2 clocks of 1 ns, rows of 16 bytes, 2 banks. Activation and precharge
# 26 * 4 - 1 * 3 - 1 * 1 = 100 pJ; read (11 - 1) * 2 = 20, write (16 - 1) * 2 = 30 pJ; standby 1 pJ per
# clock; a refresh (6 - 1) * 10 = 50 pJ in 100 clocks.
DEVICE = DramDevice(
    name="round",
    description="",
    width_bits=8,
    banks=2,
    rows=100,
    row_words=16,
    burst_length=4,
    transfers_per_clock=2,
    clock_period=Fraction(1),
    tras=3,
    trp=1,
    trfc=10,
    trefi=100,
    vdd=Fraction(1),
    idd0=Fraction(26),
    idd2n=Fraction(1),
    idd3n=Fraction(1),
    idd4r=Fraction(11),
    idd4w=Fraction(16),
    idd5ab=Fraction(6),
    kind="assumed",
    source="",
)


def board(system: DramSystem | None = None, capacity: int | None = None, **changes: Any) -> Hardware:
    """The small hardware of the other tests, at 1 GHz, beside devices."""
    plain = hardware(**changes)
    system = system or DramSystem(DEVICE, 1, 1, 1, "row:bank:column")
    return replace(
        plain,
        dram=device_dram(system, plain.clock_hz, None),
        buffer=replace(plain.buffer, capacity_bits=capacity),
    )


def layer(filters: int = 2, channels: int = 2, side: int = 4) -> MacWorkload:
    """A 1x1 convolution of bytes."""
    return conv(filters, channels, Axis(side, side), Axis(side, side))


def test_rows_by_hand() -> None:
    """Weights 4 B in row 0, inputs 32 B in rows 1 and 2, outputs in 3 and 4; even rows in bank 0."""
    cost = evaluate_tiling(layer(), setting(board()), Tiling((1, 2, 2, 4, 4), "CMPQN"))
    found = {name: count for name, count in rows(cost).items() if name.startswith("dram")}
    # Transfer: 17 bursts of 2 clocks; multiplications: 2 x 2 x 16 = 64 cycles, which take longer.
    assert dict(cost.times) == {"compute": 64, "dram": 34}
    assert found == {
        "dram weights read": (4, 32),
        "dram weights activate": (1, 0),
        "dram inputs read": (32, 256),
        "dram inputs activate": (2, 0),
        "dram outputs write": (32, 256),
        "dram outputs activate": (2, 0),
        "dram  background": (64, 0),
        "dram  refresh": (1, 0),
    }
    assert pj(cost, "dram weights read") == 20
    assert pj(cost, "dram inputs read") == 8 * 20
    assert pj(cost, "dram outputs write") == 8 * 30
    assert [pj(cost, f"dram {name} activate") for name in ("weights", "inputs", "outputs")] == [100, 200, 200]
    assert pj(cost, "dram  background") == 64
    assert pj(cost, "dram  refresh") == 50 * Fraction(64, 100)


def test_equal_words_of_other_runs_cost_more() -> None:
    """Half of each row of pixels at a time: whole bursts all the same, in energy, traffic and time."""
    by_rows, by_columns = (
        evaluate_tiling(layer(), setting(board(weights="none")), Tiling((1, 2, 2, *tile), "CMPQN"))
        for tile in ((2, 4), (4, 2))
    )
    words = [name for name in rows(by_rows) if name.startswith("dram") and "activate" not in name]
    for name in words[:3]:
        assert rows(by_rows)[name][0] == rows(by_columns)[name][0]
    assert rows(by_columns)["dram inputs read"] == (32, 512)
    assert rows(by_rows)["dram inputs read"] == (32, 256)
    assert dict(by_columns.times)["dram"] == dict(by_rows.times)["dram"] + 32
    assert by_columns.energy_aj > by_rows.energy_aj
    # On a DRAM with one price per bit they are one and the same.
    flat = [
        evaluate_tiling(layer(), setting(), Tiling((1, 2, 2, *tile), "CMPQN")).accesses
        for tile in ((2, 4), (4, 2))
    ]
    assert flat[0] == flat[1]


def test_channels_and_ranks_are_further_banks() -> None:
    """Twice the standby, refresh and speed for twice the channels; one bank each opens all at once."""
    one, two = (
        evaluate_tiling(
            layer(),
            setting(board(DramSystem(DEVICE, channels, ranks, 1, "row:bank:column"))),
            Tiling((1, 2, 2, 2, 4), "CMPQN"),
        )
        for channels, ranks in ((1, 1), (2, 2))
    )
    assert pj(two, "dram  background") == 4 * pj(one, "dram  background")
    assert pj(two, "dram  refresh") == 4 * pj(one, "dram  refresh")
    assert dict(one.times)["dram"] == 2 * dict(two.times)["dram"]
    # Five rows in eight banks: each is opened once. In two banks both tiles open them again.
    assert [rows(two)[f"dram {name} activate"][0] for name in ("weights", "inputs", "outputs")] == [1, 2, 2]
    assert [rows(one)[f"dram {name} activate"][0] for name in ("weights", "inputs", "outputs")] == [1, 4, 4]


def test_devices_of_a_rank_share_each_burst() -> None:
    """Two devices: bursts of 8 B for the energy of two, half as many."""
    cost = evaluate_tiling(
        layer(),
        setting(board(DramSystem(DEVICE, 1, 1, 2, "row:bank:column"))),
        Tiling((1, 2, 2, 4, 4), "CMPQN"),
    )
    assert rows(cost)["dram weights read"] == (4, 64)  # half of the burst is not wanted
    assert pj(cost, "dram weights read") == 2 * 20
    assert pj(cost, "dram inputs read") == 4 * 2 * 20
    assert rows(cost)["dram inputs activate"] == (1, 0)
    assert pj(cost, "dram inputs activate") == 2 * 100


def test_partial_sums_pass_in_accumulators() -> None:
    """C outside: 16 sums of 4 B written and read back once, 16 bursts each, in rows of their own."""
    cost = evaluate_tiling(layer(filters=1), setting(board()), Tiling((1, 1, 1, 1, 4), "PQMCN"))
    assert rows(cost)["dram partial_sums write"] == rows(cost)["dram partial_sums read"] == (16, 512)
    assert pj(cost, "dram partial_sums write") == 16 * 30
    assert pj(cost, "dram partial_sums read") == 16 * 20
    # Weights (W) lie in row 0, inputs (I) in 1 and 2, outputs (O) in 3, sums (S) in 4 to 7; even rows in
    # bank 0. First channel: W0 I1 | S4 I1 | S5 I1 | S6 I1, second: | S7 I2 S4 | O3 I2 S5 | O3 I2 S6 |
    # O3 I2 S7 | O3. Open already: I1 behind S4 and S6, I2 behind S5's O3, O3 behind S6.
    opened = {name: rows(cost)[f"dram {name} activate"][0] for name in ("weights", "inputs", "outputs")}
    assert opened == {"weights": 1, "inputs": 5, "outputs": 3}
    assert rows(cost)["dram partial_sums activate"] == (8, 0)


def test_a_stream_reads_each_tensor_through() -> None:
    """18 B in: 5 bursts in 2 rows; 5 B out: 2 bursts in 1 row; 3 B of parameters: 1 and 1."""
    shape = (1, 1, 3, 6)
    work = StreamWorkload((Operand(shape),), (Operand((1, 1, 1, 5)),), (18,), other_ops=40, parameters=3)
    cost = evaluate_stream(work, setting(board()))
    assert rows(cost)["dram inputs read"] == (18, 160)
    assert rows(cost)["dram inputs activate"] == (2, 0)
    assert rows(cost)["dram outputs write"] == (5, 64)
    assert rows(cost)["dram weights read"] == (3, 32)
    assert rows(cost)["dram weights activate"] == (1, 0)
    assert cost.cycles == 40
    assert pj(cost, "dram  background") == 40
    assert cost.compulsory_bits == (18 + 5 + 3) * 8  # what is wanted, not what is moved


def test_tensors_beside_the_loops_are_read_through() -> None:
    work = replace(layer(), beside=(Operand((1, 1, 3, 6)),))
    cost = evaluate_tiling(work, setting(board()), Tiling((1, 2, 2, 4, 4), "CMPQN"))
    assert rows(cost)["dram inputs_2 read"] == (18, 160)
    assert rows(cost)["dram inputs_2 activate"] == (2, 0)


def test_dram_too_small() -> None:
    small = DramSystem(replace(DEVICE, rows=2), 1, 1, 1, "row:bank:column")
    with pytest.raises(CapacityError, match="take 5 rows of DRAM and there are 4"):
        evaluate_tiling(layer(), setting(board(small)), Tiling((1, 2, 2, 4, 4), "CMPQN"))


SMALL = conv(2, 2, Axis(2, 2), Axis(4, 5, window=2))


@cache
def everything(capacity: int) -> list[LayerCost]:
    """The cost of the small layer with every tile and order of the loops, as far as it fits."""
    sizes, found, wanted = (2, 2, 2, 4), [], setting(board(capacity=capacity))
    for tiles in product(*(range(1, size + 1) for size in sizes)):
        for order in permutations("MCPQ"):
            tiling = Tiling((1, *tiles), f"{''.join(order)}N")  # type: ignore[arg-type]
            with suppress(CapacityError):
                found.append(evaluate_tiling(SMALL, wanted, tiling))
    return found


@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
@pytest.mark.parametrize("capacity", [200, pytest.param(400, marks=pytest.mark.slow)])
def test_no_mapping_is_better_than_the_gap_says(objective: str, capacity: int) -> None:
    """All mappings of a small layer, one after the other."""
    (best,) = TwoLevel().evaluate((SMALL,), setting(board(capacity=capacity), objective=objective))
    values = [device_value(cost, objective)[0] for cost in everything(capacity)]
    found = device_value(best, objective)[0]
    assert found in values
    assert 0 <= best.gap < 1
    if not best.optimal:
        assert best.gap and min(values) >= found * (1 - best.gap)
        return
    assert min(values) == found
    equals = [cost.energy_aj for cost in everything(capacity) if device_value(cost, objective)[0] == found]
    assert best.energy_aj * (1 - best.gap) <= min(equals) <= best.energy_aj


def test_whole_rows_are_taken_where_the_price_per_bit_sees_no_difference() -> None:
    """8 columns of a byte and bursts of 4: some tile of columns moves as few words as whole rows."""
    work = conv(1, 1, Axis(8, 8), Axis(8, 8))
    wanted = setting(board(capacity=8 + 8 * 8 + 8 * 32), rules=Rules(overlap="none"))
    (best,) = TwoLevel().evaluate((work,), wanted)
    assert "P1 Q8" in best.mapping
    assert rows(best)["dram inputs read"] == (64, 512)
