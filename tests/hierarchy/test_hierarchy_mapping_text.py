"""Explicit mappings as text, as YAML, as values; and what is wrong with them in one sentence."""

# ruff: noqa: E501  (messages stay on one line)

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from pathlib import Path

import pytest

from energysim.cost.hierarchy import HierarchyModel
from energysim.errors import EnergysimError, SpecError, UsageError
from energysim.hardware import load_hardware
from energysim.hardware.hierarchy import Hierarchy, HierarchyHardware, SpatialAxis
from energysim.mapping import Rules
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.files import read_mappings
from energysim.mapping.hierarchy.mapping import Loop, Mapping, MappingError, parse_mapping
from energysim.zoo import load_model

from .base import (
    INPUTS,
    OUTPUTS,
    WEIGHTS,
    bits_per_cycle,
    conv,
    level,
    random_hierarchy,
    random_mapping,
    random_nest,
)

EYERISS168 = "eyeriss168"


def spec() -> Hierarchy:
    found = load_hardware(EYERISS168)
    assert isinstance(found, HierarchyHardware)
    return found.hierarchy


def test_three_forms_of_one_mapping() -> None:
    text = "dram: Q14 M2; X: M2 Q4; psum_rf: M4; bypass buffer: inputs outputs"
    mapping = parse_mapping(text)
    assert mapping == Mapping.of(
        {"X": "M2 Q4", "psum_rf": "M4 C1", "dram": "Q14 M2", "Y": ""}, {"buffer": "outputs inputs"}
    )
    assert mapping == Mapping(
        (
            ("X", (Loop("M", 2), Loop("Q", 4))),
            ("dram", (Loop("Q", 14), Loop("M", 2))),
            ("psum_rf", (Loop("M", 4),)),
        ),
        (("buffer", "inputs"), ("buffer", "outputs")),
    )
    assert str(mapping) == "X: M2 Q4; dram: Q14 M2; psum_rf: M4; bypass buffer: inputs outputs"
    assert mapping != parse_mapping(text.replace("Q14 M2", "M2 Q14"))
    assert (mapping.factor("M"), mapping.factor("Q"), mapping.factor("N")) == (16, 56, 1)
    assert pickle.loads(pickle.dumps(mapping)) == mapping and hash(mapping) == hash(
        parse_mapping(str(mapping))
    )


@pytest.mark.parametrize("seed", range(100))
def test_text_round_trip(seed: int) -> None:
    rng = random.Random(seed)
    hierarchy = random_hierarchy(rng)
    mapping = random_mapping(rng, hierarchy, random_nest(rng), imperfect=False)
    assert parse_mapping(str(mapping)) == mapping


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dram Q14", "expected blocks such as 'dram: Q14 M2' separated by ';', got 'dram Q14'"),
        ("dram: Q14 14", "'dram': expected loops such as 'Q14 M2', got '14'"),
        ("dram: K4", "'dram': unknown dimension 'K' in 'K4' (dimensions are N G M C P Q R S)"),
        (
            "dram: q4",
            "'dram': unknown dimension 'q' in 'q4'; did you mean 'Q'? (dimensions are N G M C P Q R S)",
        ),
        ("dram: Q0", "'dram': a loop has 1 trip or more, not 'Q0'"),
        ("dram: Q2 Q7", "'dram' has two loops over Q; write one"),
        ("X: Q2; X: M2", "the mapping uses 'X' twice; write all its loops in one block"),
        (
            "bypass buffer: weight",
            "bypass of 'buffer': unknown tensor 'weight'; did you mean 'weights'? (weights, inputs, outputs)",
        ),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(text)
    assert str(caught.value) == message and caught.value.exit_code == 2


GOOD = "dram: Q7 M8; buffer: C16 Q8 P56; Y: M2 S3; weight_rf: R3 C4; psum_rf: M4"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dram: Q7", "dram: Q14", "the loops over Q multiply to 112 (buffer 8, dram 14); the layer has 56 output columns"),
        ("dram: Q7 M8", "dram: Q7", "the loops over M multiply to 8 (Y 2, psum_rf 4); the layer has 64 filters of a group"),
        ("Y: M2 S3", "Y: M2 S3 C3", "axis 'Y' has 12 places; M2 x S3 x C3 needs 18"),
        ("Y: M2 S3", "Y: M2 S3 P2", "'Y' takes no loop over P (loops allowed there: S C M)"),
        ("dram", "dran", "the hardware has no level or axis 'dran'; did you mean 'dram'?"),
        ("psum_rf: M4", "psum_rf: M4; input_rf: R3", "'input_rf' takes no loop over R (loops allowed there: none)"),
        ("psum_rf: M4", "psum_rf: M4; bypass dram: weights", "weights cannot bypass 'dram': it is the last level"),
        ("psum_rf: M4", "psum_rf: M4; bypass X: weights", "'X' is an axis; it holds nothing that could bypass it"),
        ("psum_rf: M4", "psum_rf: M4; bypass buffer: inputs", "inputs cannot bypass 'buffer': this hardware always holds them there"),
        ("buffer: C16 Q8 P56; Y: M2 S3; weight_rf: R3 C4", "buffer: C8 Q8 P56; Y: M2 S3; weight_rf: R3 C8", "the tile of inputs in level 'input_rf' needs 48 B and has 24 B"),
        ("dram: Q7 M8; buffer: C16 Q8 P56", "buffer: C16 Q56 P56 M8", "the tiles in level 'buffer' (inputs 430592 B, outputs 392 KiB) need 832000 B and have 108 KiB"),
    ],
)  # fmt: skip
def test_what_the_hardware_cannot_run(old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(MappingError) as caught:
        checked(
            spec(), parse_mapping(GOOD.replace(old, new)), conv(64, 64, 56),
            Rules(padding="fetched", untouched="fetched"), (16, 16, 16),
        )  # fmt: skip
    assert str(caught.value) == message and caught.value.exit_code == 2


def test_uneven_tiles_only_at_the_outermost_level_and_only_when_asked() -> None:
    nest, bits = conv(5, 1, 1, window=1), (16, 16, 16)
    three = Hierarchy((level("dram", None, 1), level("a", None, 1), level("b", None, 1)))
    uneven = parse_mapping("dram: M2; a: M3")
    with pytest.raises(MappingError, match="multiply to 6"):
        checked(three, uneven, nest, Rules(), bits)
    assert checked(three, uneven, nest, Rules(), bits, imperfect=True)
    with pytest.raises(MappingError, match="'dram' needs 2 trips over tiles of 4"):
        checked(three, parse_mapping("a: M2; b: M2; dram: M1"), nest, Rules(), bits, imperfect=True)
    with pytest.raises(MappingError, match="'dram' needs 2 trips over tiles of 3"):
        checked(three, parse_mapping("dram: M3; a: M3"), nest, Rules(), bits, imperfect=True)
    with pytest.raises(MappingError, match="a tile of 6 is too large"):
        checked(three, parse_mapping("a: M6"), nest, Rules(), bits, imperfect=True)


def test_split_and_double_buffered_levels() -> None:
    from energysim.hardware.core import Partitions

    nest, bits = conv(4, 4, 4, window=1), (16, 16, 16)
    whole = parse_mapping("buffer: M4 C4 P4 Q4")
    fits = level("buffer", 16 + 64 + 64, 1)
    dram = level("dram", None, 1)
    assert checked(Hierarchy((dram, fits)), whole, nest, Rules(), bits)
    with pytest.raises(MappingError, match="need 576 B and have 288 B"):
        checked(Hierarchy((dram, replace(fits, double_buffered=True))), whole, nest, Rules(), bits)
    split = replace(fits, partitions=Partitions(16 * 16, 16 * 64, 16 * 63))
    message = "the tile of outputs in level 'buffer' needs 128 B and has 126 B"
    with pytest.raises(MappingError, match=message):
        checked(Hierarchy((dram, split)), whole, nest, Rules(), bits)


def test_what_is_no_hierarchy() -> None:
    dram, buffer = level("dram", None, 1), level("buffer", 64, 1)
    for nodes, message in [
        ((), "a hierarchy starts with its outermost memory"),
        ((SpatialAxis("X", 2), dram), "a hierarchy starts with its outermost memory"),
        ((dram,), "the hierarchy has no memory inside 'dram'; it needs one at least"),
        ((dram, buffer, replace(buffer)), "two parts of the hierarchy have the name 'buffer'"),
        (
            (replace(dram, bypass=(INPUTS,)), buffer),
            "level 'dram' is the last one: nothing can bypass it, not inputs",
        ),
        (
            (dram, replace(buffer, bypass=(WEIGHTS, INPUTS, OUTPUTS))),
            "nobody uses level 'buffer': all three tensors bypass it",
        ),
        (
            (dram, replace(buffer, read_bandwidth=bits_per_cycle(0))),
            "level 'buffer' has a read bandwidth of zero; leave it out for no limit",
        ),
        ((dram, buffer, SpatialAxis("X", 0)), "axis 'X' has the size 0; it must be 1 or more"),
        (
            (dram, buffer, SpatialAxis("X", 2, "MK")),
            "'X' names the dimension 'K'; dimensions are N G M C P Q R S",
        ),
    ]:
        with pytest.raises(SpecError) as caught:
            Hierarchy(nodes)
        assert str(caught.value) == message


def test_a_level_that_a_mapping_leaves_unused() -> None:
    nodes = (level("dram", None, 1), level("buffer", 64, 1), level("rf", 8, 1))
    with pytest.raises(MappingError, match="nobody uses level 'buffer': all three tensors bypass it"):
        checked(
            Hierarchy(nodes), parse_mapping("bypass buffer: weights inputs outputs"), conv(1, 1, 1, window=1),
            Rules(), (16, 16, 16),
        )  # fmt: skip


FILE = """\
schema: energysim-mapping/1
layers:
  features.conv3_2:
    dram: Q14 M2 C4
    X: M2 Q4
    Y:
    bypass: {buffer: weights}
  features.conv5_3: "dram: Q14; X: M2"
"""


def test_a_mapping_file(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(FILE)
    found = read_mappings(path)
    assert found["features.conv3_2"] == parse_mapping("dram: Q14 M2 C4; X: M2 Q4; bypass buffer: weights")
    assert found["features.conv5_3"] == parse_mapping("dram: Q14; X: M2")
    from ruamel.yaml import YAML

    again = {"schema": "energysim-mapping/1", "layers": {k: v.to_dict() for k, v in found.items()}}
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(again, file)
    assert read_mappings(path) == found
    assert HierarchyModel.for_graph(load_model("vgg16"), path)


def test_all_errors_of_a_mapping_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        FILE.replace("energysim-mapping/1", "energysim-mapping/2").replace("M2 Q4", "[M2, Q4]")
        .replace("Q14; X", "Z14; X") + "layer: 1\n"
    )  # fmt: skip
    with pytest.raises(SpecError) as caught:
        read_mappings(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").split("\n") == [
        "m.yaml:1:9: schema: expected energysim-mapping/1, got 'energysim-mapping/2'",
        "m.yaml:5:8: layers.features.conv3_2: expected text such as 'Q14 M2', got a list",
        "m.yaml:8:21: layers.features.conv5_3: 'dram': unknown dimension 'Z' in 'Z14' "
        "(dimensions are N G M C P Q R S)",
        "m.yaml:9:1: layer: unknown key 'layer'; did you mean 'layers'?",
    ]
    with pytest.raises(EnergysimError, match="cannot be read"):
        read_mappings(tmp_path / "none.yaml")


def test_a_layer_the_network_has_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no layer .features\.conv3_5. to map; did you mean"):
        HierarchyModel.for_graph(load_model("vgg16"), {"features.conv3_5": Mapping(())})
