"""Every constant that ships, against values copied by hand from the sources named beside it."""

from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction

import pytest

from energysim.hardware import Hardware, hardware_names, load_hardware

SHIPPED = ("edge45", "eyeriss", "teaching")

# path: (value in the base unit, kind, node)
EDGE45 = {
    "clock": ("200000000", "assumed", None),
    # LPDDR4, constant 8 pJ/bit (hwcomponents-cacti 1.0.40); 3200 MT/s x 16 bit = 51.2 Gbit/s
    "levels.dram.read": ("512", "published", None),
    "levels.dram.write": ("512", "assumed", None),
    "levels.dram.bandwidth": ("256", "derived", None),
    # CACTI 7, plain SRAM, 512 KiB x 64 bit, 45 nm
    "levels.buffer.capacity": ("4194304", "assumed", None),
    "levels.buffer.read": ("68.3493", "published", 45),
    "levels.buffer.write": ("51.346", "published", 45),
    # Aladdin rows at 45 nm: 0.91199 + (3.88963 - 3.64797); Horowitz as given by Universal: 3.7 + 0.9
    "mac.8": ("1.15365", "derived", 45),
    "mac.16": ("3.88963", "published", 45),
    "mac.32": ("4.6", "derived", 45),
    "registers.8.read": ("0.08286", "published", 45),
    "registers.8.write": ("0.08286", "published", 45),
    "registers.16.read": ("0.16571", "published", 45),
    "registers.16.write": ("0.16571", "published", 45),
    "registers.32.read": ("0.33142", "derived", 45),
    "registers.32.write": ("0.33142", "derived", 45),
    "vector_op": ("0.12083", "published", 45),
    "array.pixels": ("16", "assumed", None),
    "array.filters": ("16", "assumed", None),
    "array.products": ("1048576", "assumed", None),
}
EYERISS = {
    "clock": ("200000000", "published", 65),
    # LPDDR 40 pJ/bit (Malladi et al., ISCA 2012, as given by hwcomponents-cacti 1.0.40);
    # 60 MHz x 64 bit / 200 MHz
    "levels.dram.read": ("2560", "published", None),
    "levels.dram.write": ("2560", "assumed", None),
    "levels.dram.bandwidth": ("19.2", "assumed", 65),
    "levels.buffer.capacity": ("884736", "published", 65),
    # CACTI 7, plain SRAM, 108 KiB x 64 bit, 65 nm
    "levels.buffer.read": ("54.3025", "published", 65),
    "levels.buffer.write": ("46.0033", "published", 65),
    "mac.16": ("4.8257", "published", 65),
    "registers.16.read": ("0.20559", "published", 65),
    "registers.16.write": ("0.20559", "published", 65),
    "vector_op": ("0.14991", "published", 65),
    "array.pixels": ("14", "assumed", 65),
    "array.filters": ("12", "assumed", 65),
    "array.products": ("36", "assumed", 65),
}
TEACHING = {
    # Chen, Emer, Sze, ISCA 2016, as given by the tests of nn_dataflow: 200 : 6 : 1
    "clock": ("1000000000", "assumed", None),
    "levels.dram.read": ("200", "published", 65),
    "levels.dram.write": ("200", "published", 65),
    "levels.buffer.capacity": ("884736", "published", 65),
    "levels.buffer.read": ("6", "published", 65),
    "levels.buffer.write": ("6", "published", 65),
    "mac.16": ("1", "published", 65),
    "vector_op": ("1", "assumed", None),
    "array.pixels": ("1", "assumed", None),
    "array.filters": ("1", "assumed", None),
    "array.products": ("1", "assumed", None),
}


@pytest.mark.parametrize(
    ("name", "expected"), [("edge45", EDGE45), ("eyeriss", EYERISS), ("teaching", TEACHING)]
)
def test_every_constant(name: str, expected: dict[str, tuple[str, str, int | None]]) -> None:
    found = {c.path: (c.value, c.kind, c.node_nm) for c in load_hardware(name).constants}
    assert found == {path: (Fraction(value), kind, node) for path, (value, kind, node) in expected.items()}


# CACTI 7, plain SRAM of 64-bit words: KiB, read, write [pJ]
ROWS = {
    "edge45": [(4, "3.38552", "6.45356"), (16, "11.6097", "10.6968"), (64, "25.8695", "19.6486"),
               (108, "29.4494", "24.1554"), (512, "68.3493", "51.346")],
    "eyeriss": [(4, "6.16767", "11.9532"), (16, "20.9833", "20.1146"), (64, "47.0445", "37.3036"),
                (108, "54.3025", "46.0033"), (512, "126.208", "98.4091")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "row"), [(n, r) for n, rows in ROWS.items() for r in rows])
def test_every_row_of_the_energy_tables(tmp_path, name: str, row: tuple[int, str, str]) -> None:
    size, read, write = row
    path = tmp_path / "x.yaml"
    path.write_text(
        "schema: energysim-hardware/1\nname: x\n"
        f"extends: {name}\nlevels: {{buffer: {{capacity: {size} KiB}}}}\n"
    )
    buffer = load_hardware(path).buffer
    assert (buffer.read.value, buffer.write.value) == (Fraction(Decimal(read)), Fraction(Decimal(write)))
    assert buffer.read.kind == "published"


def test_edge45() -> None:
    hw = load_hardware("edge45")
    assert (hw.weight_bits, hw.activation_bits, hw.accumulator_bits) == (8, 8, 32)
    assert (hw.dram.word_bits, hw.buffer.word_bits, hw.dram.capacity_bits) == (64, 64, None)
    assert hw.buffer.partitions is None and hw.buffer.bandwidth is None and not hw.buffer.double_buffered
    assert (hw.array.macs_per_cycle, hw.cost_model, hw.node_nm) == (256, "two-level", 45)
    assert hw.zero_sentence == (
        "weights stored compressed: yes; compute skips weight zeros: yes; activation zeros: gated"
    )
    assert hw.mac_energy(8, 8).energy_aj == 1_153_650
    assert hw.mac_energy(4, 9).energy_aj == 3_889_630
    assert hw.register_energy(24)[0].energy_aj == 331_420


def test_eyeriss() -> None:
    hw = load_hardware("eyeriss")
    assert (hw.weight_bits, hw.activation_bits, hw.accumulator_bits) == (16, 16, 16)
    assert hw.array.macs_per_cycle == 168
    assert hw.zero_sentence == (
        "weights stored compressed: no; compute skips weight zeros: no; activation zeros: gated; "
        "activations stored compressed: rlc"
    )


def test_teaching() -> None:
    hw = load_hardware("teaching")
    assert (hw.weight_bits, hw.activation_bits, hw.accumulator_bits) == (16, 16, 16)
    assert (hw.dram.word_bits, hw.buffer.word_bits) == (16, 16)
    assert hw.register == () and hw.dram.bandwidth is None
    assert hw.array.macs_per_cycle == hw.array.products == 1
    assert hw.zero_sentence == (
        "weights stored compressed: yes; compute skips weight zeros: yes; activation zeros: not exploited"
    )


def test_names() -> None:
    assert set(SHIPPED) <= set(hardware_names())


@pytest.mark.parametrize("name", SHIPPED)
def test_plain_values(name: str) -> None:
    hw = load_hardware(name)
    again = pickle.loads(pickle.dumps(hw))
    assert isinstance(again, Hardware)
    assert again == hw == load_hardware(name)
    assert hash(again) == hash(hw)
    assert again.digest == hw.digest
    assert hw.name == name
    assert {c.kind for c in hw.constants} <= {"measured", "published", "derived", "assumed"}
    assert all(c.source or (c.kind == "assumed" and c.note) for c in hw.constants)


def test_digests_differ() -> None:
    assert len({load_hardware(name).digest for name in SHIPPED}) == 3
