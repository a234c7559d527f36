"""``--bits``: for all layers, per layer, and what a graph states; in storage, traffic and energy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import EnergysimError, SpecError, UsageError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.hardware import load_hardware
from energysim.report import Report
from energysim.report.notes import notes
from energysim.validate import validate
from energysim.walker import estimate
from energysim.widths import Bits, Widths, read_bits


def network() -> LayerGraph:
    """conv1 (4 x 2 x 3 x 3) -> relu -> pool -> conv2 (6 x 4 x 1 x 1) -> flatten -> fc (10 x 96)."""
    b = GraphBuilder("net", (2, 8, 8))
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="a.conv1"), name="a.relu")
    x = b.conv(b.pool(x, 2, name="a.pool"), 6, 1, name="b.conv2")
    return b.build(b.linear(b.flatten(x, name="b.flat"), 10, name="b.fc"))


def dram(report: Report) -> dict[tuple[str, str], int]:
    """(node, tensor) -> bits moved between DRAM and the buffer."""
    return {(a.node, a.tensor): a.bits for a in report.run("dense").accesses if a.level == "dram"}


def weight_bits(report: Report) -> dict[str, int]:
    return {row.node: row.weight_bits for row in report.run("dense").layers if row.weight_bits}


def mac_constants(report: Report) -> dict[str, str]:
    return {a.node: a.constant for a in report.run("dense").accesses if a.level == "mac"}


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (None, Widths()),
        ("w=4", Widths((("w", 4),))),
        ("a.*:w=4,a=4", Widths((), (("a.*", (("w", 4), ("a", 4))),))),
        (
            "8; a.* : 4 ;b.fc:acc=16",
            Widths((("w", 8), ("a", 8)), (("a.*", (("w", 4), ("a", 4))), ("b.fc", (("acc", 16),)))),
        ),
        ({"w": 8, "a.*": {"w": 4}}, Widths((("w", 8),), (("a.*", (("w", 4),)),))),
    ],
)
def test_grammar(bits: Bits | None, expected: Widths) -> None:
    assert read_bits(bits) == expected


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ("a.*:w=4;w=8", "widths for all layers come first"),
        ("w=8;a=8", "widths for all layers come first"),
        (":w=4", "a name of its own"),
        ("a.*:w=4;a.*:w=5", "a name of its own"),
        ("a.*:", "not ''"),
        ("a.*:x=4", "unknown key 'x'"),
        ("a.*:w=0", "not '0'"),
        ({"a.*": {}}, "without a width"),
        ("c.*:w=4", r"no layer of 'net' is called 'c\.\*'"),
        ("a.pool:w=4", "gives a width of weights to layers without any"),
        ("a.*:acc=4", "an accumulator of 4 bit is narrower"),
        ("b.conv2:a=4;a.pool:a=4;a.conv1:a=16,acc=8", "an accumulator of 8 bit is narrower"),
    ],
)
def test_wrong_widths(bits: Any, message: str) -> None:
    with pytest.raises(UsageError, match=rf"^bits: .*{message}"):
        estimate(network(), bits=bits)


@given(st.text(alphabet="wac=,;:*.0189 b", max_size=16))
def test_any_text_gives_widths_or_our_error(text: str) -> None:
    try:
        found = read_bits(text)
    except UsageError:
        return
    assert all(1 <= width <= 64 for _, width in found.base)


def test_a_layer_of_its_own_width() -> None:
    native, mixed = estimate(network()), estimate(network(), bits="b.conv2:w=4,a=2;b.*:w=16")
    assert weight_bits(native) == {"a.conv1": 72 * 8, "b.conv2": 24 * 8, "b.fc": 960 * 8}
    assert weight_bits(mixed) == {"a.conv1": 72 * 8, "b.conv2": 24 * 4, "b.fc": 960 * 16}
    before, after = dram(native), dram(mixed)
    pooled = 4 * 4 * 4
    changed = {key: bits for key, bits in after.items() if before[key] != bits}
    assert changed == {
        ("a.pool", "outputs"): pooled * 2,  # who writes a tensor writes what its reader wants
        ("b.conv2", "inputs"): pooled * 2,
        ("b.conv2", "weights"): 24 * 4,
        ("b.fc", "weights"): 960 * 16,
    }
    assert mac_constants(mixed) == {"a.conv1": "mac.8", "b.conv2": "mac.8", "b.fc": "mac.16"}
    assert mixed.setup.bits == "w=8,a=8,acc=32;b.conv2:w=4,a=2;b.*:w=16"
    assert mixed.setup.datapaths == ("w=4,a=2 on 8 bit", "w=8,a=8 on 8 bit", "w=16,a=8 on 16 bit")
    (note,) = (line for line in notes(mixed) if line.startswith("multipliers: "))
    assert "w=4,a=2 on 8 bit" in note
    assert "w=4,a=8 on 8 bit" in " ".join(notes(estimate(network(), bits="w=4")))
    assert not any(line.startswith("multipliers: ") for line in notes(native))


def test_a_tensor_behind_a_view_is_one_tensor() -> None:
    moved = dram(estimate(network(), bits="b.fc:a=4"))
    assert moved["b.conv2", "outputs"] == moved["b.fc", "inputs"] == 6 * 4 * 4 * 4


def test_energy_of_narrow_operands_is_that_of_the_datapath_that_holds_them() -> None:
    def mac_energy(bits: str) -> int:
        accesses = estimate(network(), bits=bits).run("dense").accesses
        return sum(a.energy_aj for a in accesses if a.level == "mac")

    edge = dict(load_hardware("edge45").mac)
    macs = 72 * 64 + 24 * 16 + 960
    assert mac_energy("8") == mac_energy("w=4") == mac_energy("w=1,a=3") == macs * edge[8].energy_aj
    assert mac_energy("w=9,a=4") == macs * edge[16].energy_aj


def test_no_datapath_is_wide_enough() -> None:
    with pytest.raises(
        SpecError, match=r"^layer 'b.conv2' on 'edge45': .*no MAC for 40-bit weights .* 32 bit"
    ):
        estimate(network(), bits="b.conv2:w=40")


def test_two_readers_of_a_tensor_agree() -> None:
    b = GraphBuilder("fork", (2, 8, 8))
    x = b.conv(b.input, 4, 1, name="stem")
    graph = b.build(b.add(b.conv(x, 4, 1, name="left"), b.conv(x, 4, 1, name="right"), name="sum"))
    with pytest.raises(UsageError, match=r"'left' and 'right' read the same tensor, .*other 8"):
        estimate(graph, bits="left:a=4;right:a=8")
    assert dram(estimate(graph, bits="left:a=4"))["right", "inputs"] == 4 * 64 * 4


def test_what_the_graph_states_unless_something_is_given() -> None:
    graph = network().with_widths({"a.pool": 4}, {"b.fc.weight": 2})
    stated, given = estimate(graph), estimate(graph, bits="8")
    assert weight_bits(stated)["b.fc"] == 960 * 2
    assert dram(stated)["b.conv2", "inputs"] == dram(stated)["a.pool", "outputs"] == 64 * 4
    assert stated.setup.datapaths == ("w=2,a=8 on 8 bit", "w=8,a=4 on 8 bit", "w=8,a=8 on 8 bit")
    assert (weight_bits(given), dram(given)) == (weight_bits(estimate(network())), dram(estimate(network())))
    layer = estimate(graph, bits="b.fc:w=3")
    assert weight_bits(layer)["b.fc"] == 960 * 3
    assert dram(layer)["b.conv2", "inputs"] == 64 * 4


def test_a_narrow_layer_is_no_other_than_a_narrow_network() -> None:
    b = GraphBuilder("one", (4, 8, 8))
    graph = b.build(b.conv(b.input, 4, 3, name="conv"))
    rows = [
        [(a.tensor, a.action, a.bits) for a in estimate(graph, bits=bits).run("dense").accesses]
        for bits in ("w=4,acc=20", "conv:w=4,acc=20")
    ]
    assert rows[0] == rows[1]


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["a.conv1", "b.conv2", "b.fc"]), st.integers(1, 32)))
def test_any_widths_per_layer(widths: dict[str, int]) -> None:
    report = estimate(network(), bits={name: {"w": width} for name, width in widths.items()})
    sizes = {"a.conv1": 72, "b.conv2": 24, "b.fc": 960}
    assert weight_bits(report) == {name: size * widths.get(name, 8) for name, size in sizes.items()}


def test_validate_encodes_the_widths_that_the_graph_states() -> None:
    graph = network().with_widths(parameters={"b.fc.weight": 2, "a.conv1.weight": 5})
    for bits in (None, "a=8", "w=4"):
        result = validate(graph, bits=bits)
        assert result.passed, result.problems


def test_validate_takes_one_width() -> None:
    with pytest.raises(EnergysimError, match=r"validate takes widths for all layers together"):
        validate("digits_cnn", bits="conv*:w=4")
