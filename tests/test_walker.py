"""The walker: traffic by hand, batches, zeros, formats, unknown operators, work done once."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import energysim as es
from energysim.cost import LayerCost, Setting
from energysim.cost.two_level import TwoLevel
from energysim.errors import CapacityError, EnergysimError, ShapeError, UnknownOperatorError, UsageError
from energysim.graph import Conv2d, GraphBuilder, LayerGraph, Operator
from energysim.graph.operators import Category
from energysim.graph.shapes import Shape
from energysim.hardware import Hardware, load_hardware
from energysim.report import Report, Totals
from energysim.walker import estimate
from energysim.workload import Workload


def bits(report: Report, level: str, scheme: str = "dense") -> dict[tuple[str, str, str], int]:
    """(node, tensor, action) -> bits moved at a level."""
    return {(a.node, a.tensor, a.action): a.bits for a in report.run(scheme).accesses if a.level == level}


CONV_IN, CONV_OUT, POOLED = 2 * 8 * 8 * 16, 4 * 8 * 8 * 16, 4 * 4 * 4 * 16

#: DRAM traffic of the toy network by hand: 16-bit words, everything fits the buffer, each tensor moves once.
TRAFFIC = {
    "epilogue": {
        ("conv", "weights", "read"): 4 * 2 * 9 * 16,
        ("conv", "inputs", "read"): CONV_IN,
        ("conv", "outputs", "write"): CONV_OUT,
        ("pool", "inputs", "read"): CONV_OUT,
        ("pool", "outputs", "write"): POOLED,
        ("fc", "weights", "read"): 10 * 64 * 16,
        ("fc", "inputs", "read"): POOLED,
        ("fc", "outputs", "write"): 10 * 16,
    }
}
TRAFFIC["none"] = {
    **TRAFFIC["epilogue"],
    ("relu", "inputs", "read"): CONV_OUT,
    ("relu", "outputs", "write"): CONV_OUT,
}
TRAFFIC["pool"] = {k: v for k, v in TRAFFIC["epilogue"].items() if k[0] != "pool"}
TRAFFIC["pool"]["conv", "outputs", "write"] = POOLED


@pytest.mark.parametrize("fusion", TRAFFIC)
def test_traffic_of_the_toy_network_by_hand(toy: LayerGraph, fusion: str) -> None:
    report = estimate(toy, hardware="teaching", fusion=fusion)
    assert bits(report, "dram") == TRAFFIC[fusion]
    sums = report.totals()
    assert sums.total_dram_bits == sums.compulsory_bits == sum(TRAFFIC[fusion].values())
    assert sums.energy_aj["dram"] == sum(TRAFFIC[fusion].values()) // 16 * 200 * 10**6


@pytest.mark.parametrize("fusion", TRAFFIC)
def test_work_of_the_toy_network_by_hand(toy: LayerGraph, fusion: str) -> None:
    report = estimate(toy, hardware="teaching", fusion=fusion)
    rows = {row.node: row for row in report.run().layers}
    assert (rows["conv"].macs, rows["fc"].macs) == (64 * 4 * 2 * 9, 640)
    other = {"conv": 4 * 64, "relu": 4 * 64, "pool": 4 * 16 * 4, "flat": 0, "fc": 10}
    assert {name: row.other_ops for name, row in rows.items()} == other
    assert (rows["conv"].weight_bits, rows["fc"].weight_bits) == (72 * 16, 640 * 16)
    assert (rows["conv"].output_shape, rows["fc"].output_shape) == ("1x4x8x8", "1x10")
    assert [row.part for row in report.run().layers] == ["convolution", "other", "other", "other", "linear"]


def test_a_batch_norm_folds_into_a_multiply_add_layer_only() -> None:
    b = GraphBuilder("norms", input=(4, 6, 6))
    x = b.batch_norm(b.conv(b.input, 4, 1, bias=False, name="conv"), name="bn1")
    graph = b.build(b.batch_norm(b.add(x, x, name="add"), name="bn2"))
    rows = {row.node: row for row in estimate(graph).run().layers}
    assert (rows["bn1"].other_ops, rows["bn2"].other_ops) == (0, 2 * 4 * 36)
    assert (rows["bn1"].folded_into, rows["bn2"].folded_into, rows["add"].folded_into) == (
        "conv",
        "add",
        None,
    )


@pytest.mark.parametrize("scheme", ["dense", "psconv"])
def test_batch_of_eight(scheme: str) -> None:
    one, eight = (estimate("resnet18-cifar10", scheme, batch=n) for n in (1, 8))
    for a, b in zip(one.run().layers, eight.run().layers, strict=True):
        assert (8 * a.macs, 8 * a.dense_macs, 8 * a.other_ops) == (b.macs, b.dense_macs, b.other_ops)
        assert (a.weight_bits, a.side_bits) == (b.weight_bits, b.side_bits)
        assert a.cycles <= b.cycles <= 8 * a.cycles
    first, second = one.totals(), eight.totals()
    assert second.total_energy_aj <= 8 * first.total_energy_aj
    assert second.total_dram_bits <= 8 * first.total_dram_bits
    assert eight.setup.batch == 8


def zeros(compute: str, format: str | None = None) -> Hardware:
    """edge45 with another way of dealing with activation zeros."""
    from dataclasses import replace

    spec = load_hardware("edge45")
    handling = replace(spec.activations, compute=compute, stored_compressed=format is not None, format=format)
    return replace(spec, activations=handling)


def half(hardware: Hardware) -> tuple[Totals, Totals]:
    """Totals of the same network with all its values, and with half of them zero."""
    dense, sparse = (estimate("vgg16-cifar10", hardware=hardware, activations=a) for a in (None, 0.5))
    return dense.totals(), sparse.totals()


def test_hardware_that_ignores_zeros() -> None:
    before, after = half(zeros("none"))
    assert before == after


def test_gating_saves_energy_of_multiply_adds_and_nothing_else() -> None:
    before, after = half(zeros("gate"))
    assert after.energy_aj["mac"] < before.energy_aj["mac"]
    assert after.energy_aj["register"] < before.energy_aj["register"]
    for level in ("buffer", "dram", "vector"):
        assert after.energy_aj[level] == before.energy_aj[level]
    assert (after.cycles, after.dram_bits, after.macs) == (before.cycles, before.dram_bits, before.macs)
    assert after.effective_macs < before.effective_macs
    assert (before.expected, after.expected) == (False, True)


def test_skipping_saves_cycles_as_well() -> None:
    before, after = half(zeros("skip"))
    assert after.energy_aj["mac"] < before.energy_aj["mac"]
    assert after.cycles < before.cycles
    assert after.dram_bits == before.dram_bits


def test_gating_halves_the_multiply_adds_of_every_layer_but_the_first() -> None:
    rows = estimate("vgg16-cifar10", hardware=zeros("gate"), activations=0.5).run().layers
    first, *rest = (row for row in rows if row.macs)
    assert first.effective_macs == first.macs
    assert all(2 * row.effective_macs == row.macs for row in rest)


def test_compressed_activations_save_dram_bits_only() -> None:
    before, after = half(zeros("none", "bitmap"))
    assert after.total_dram_bits < before.total_dram_bits
    assert after.buffer_bits == before.buffer_bits
    assert after.dram_bits["weights"] == before.dram_bits["weights"]
    assert (after.expected, before.expected) == (True, False)


def test_dense_maps_are_not_made_larger_by_the_hardware_but_by_the_user() -> None:
    plain = estimate("vgg16-cifar10", hardware=zeros("none")).totals()
    bypassed = estimate("vgg16-cifar10", hardware=zeros("none", "bitmap")).totals()
    forced = estimate("vgg16-cifar10", hardware=zeros("none"), format_activations="bitmap").totals()
    assert bypassed.total_dram_bits == plain.total_dram_bits < forced.total_dram_bits


def test_expected_rows_are_those_that_depend_on_zeros() -> None:
    report = estimate("vgg16-cifar10", hardware=zeros("gate"), activations="features.relu1_1=0.5")
    flagged = {a.node for a in report.run().accesses if a.expected}
    assert flagged == {"features.conv1_2"}
    assert not any(a.expected for a in estimate("vgg16-cifar10").run().accesses)


def test_more_zeros_never_cost_more() -> None:
    energies = [
        estimate("resnet18-cifar10", activations=Fraction(n, 10), hardware="eyeriss").totals().total_energy_aj
        for n in range(0, 11, 2)
    ]
    assert energies == sorted(energies, reverse=True)


def test_zeros_of_a_tensor_that_is_folded_away_are_pointed_out(toy: LayerGraph) -> None:
    told = estimate(toy, activations="conv=0.5,relu=0.5").setup.activations
    assert told == "0.5 of conv, 0.5 of relu; without effect, as folded away: conv"
    assert "without effect" not in estimate(toy, activations=0.5).setup.activations
    assert estimate(toy).setup.activations == "none known"


def test_the_report_holds_no_path(tmp_path: Path, toy: LayerGraph) -> None:
    file = tmp_path / "zeros.json"
    file.write_text('{"schema": "energysim-activations/1", "tensors": {"relu": 0.5}}')
    spec = tmp_path / "own.yaml"
    spec.write_text("schema: energysim-hardware/1\nname: own\nextends: edge45\n")
    model = tmp_path / "mine.py"
    model.write_text(
        "from energysim import GraphBuilder\n"
        "def build():\n    b = GraphBuilder('x', (3, 8, 8))\n    return b.build(b.conv(b.input, 4, 3))\n"
    )
    told = estimate(toy, hardware=spec, activations=str(file)).to_json()
    assert told == estimate(toy, hardware=spec, activations={"relu": 0.5}).to_json()
    assert str(tmp_path) not in told
    report = estimate(model, hardware=spec)
    assert report.setup.model == "mine"
    assert str(tmp_path) not in report.to_json() + report.render()


@dataclass(frozen=True)
class Magic(Operator):
    """An operator nobody knows."""

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (shapes[0],)


@dataclass(frozen=True)
class Doubling(Magic):
    """An operator of a user that says what it does."""

    category: ClassVar[Category] = "stream"

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 3 * inputs[0][0] * inputs[0][1]


@dataclass(frozen=True)
class OwnConv(Conv2d):
    """A kind of convolution whose loop nest nobody has stated."""


def with_operator(op: Operator) -> LayerGraph:
    b = GraphBuilder("mine", input=(3, 8, 8))
    (x,) = b.node(op, b.conv(b.input, 4, 3, name="conv"), name="odd")
    return b.build(b.linear(b.flatten(x), 5, name="fc"))


@pytest.mark.parametrize("op", [Magic(), OwnConv(4, (1, 1))], ids=lambda op: op.kind)
def test_an_unknown_operator_is_an_error_that_names_it(op: Operator) -> None:
    with pytest.raises(UnknownOperatorError) as caught:
        estimate(with_operator(op))
    message = str(caught.value)
    assert all(word in message for word in ("'odd'", f"'{op.kind}'", "'mine'", "--allow-unknown"))


def test_an_unknown_operator_that_is_allowed_is_listed() -> None:
    report = estimate(with_operator(Magic()), "psconv", allow_unknown=True)
    assert [run.uncounted for run in report.runs] == [("odd (Magic)",), ("odd (Magic)",)]
    assert {row.node for row in report.run().layers}.isdisjoint({"odd"})
    assert report.render().count("NOT COUNTED") == 2
    assert Report.from_json(report.to_json()) == report


def test_an_operator_of_a_user_is_costed_once_it_says_what_it_does() -> None:
    report = estimate(with_operator(Doubling()))
    row = next(row for row in report.run().layers if row.node == "odd")
    assert (row.kind, row.part, row.other_ops, row.macs) == ("Doubling", "other", 12, 0)
    moved = bits(report, "dram")
    assert moved["odd", "inputs", "read"] == moved["odd", "outputs", "write"] == 4 * 6 * 6 * 8


def test_identical_workloads_are_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG16: conv3_2 = conv3_3, conv4_2 = conv4_3, conv5_1 = conv5_2 = conv5_3."""
    asked: Counter[Workload] = Counter()
    evaluate = TwoLevel.evaluate

    def counted(self: TwoLevel, segment: tuple[Workload, ...], setting: Setting) -> tuple[LayerCost, ...]:
        asked.update(segment)
        return evaluate(self, segment, setting)

    monkeypatch.setattr(TwoLevel, "evaluate", counted)
    report = estimate("vgg16", "psconv")
    assert set(asked.values()) == {1}
    with_macs = sum(1 for work in asked if hasattr(work, "nest"))
    # 13 convolutions of 9 kinds, 3 linear layers; all convolutions but the first twice, dense and sparse.
    assert with_macs == 9 + 3 + 8
    assert len(report.run().layers) == 40


def test_dense_comes_first_and_nothing_twice() -> None:
    report = estimate("vgg16-cifar10", "psconv,dense,psconv:PSD4_P8,psconv:PSD1_P16")
    assert report.schemes == ("dense", "psconv:PSD4_P8", "psconv:PSD1_P16")
    assert estimate("vgg16-cifar10").schemes == ("dense",)


def test_schemes_as_a_list() -> None:
    assert estimate("vgg16-cifar10", ["psconv", "psconv:PSD1_P16"]).schemes[1:] == (
        "psconv:PSD4_P8",
        "psconv:PSD1_P16",
    )


@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
def test_each_objective_is_best_at_its_own(objective: str) -> None:
    """A layer's mapping under an objective is at least as good in it as under any other."""

    def value(report: Report, wanted: str) -> int:
        sums = report.totals(part="convolution")
        energy, cycles = sums.total_energy_aj, sums.cycles
        return {"energy": energy, "dram": sums.total_dram_bits, "delay": cycles, "edp": energy * cycles}[
            wanted
        ]

    b = GraphBuilder("one", input=(32, 30, 30))
    graph = b.build(b.conv(b.input, 48, 3, padding=1))
    own = estimate(graph, objective=objective, hardware="eyeriss")
    for other in ("energy", "dram", "delay", "edp"):
        assert value(own, objective) <= value(estimate(graph, objective=other, hardware="eyeriss"), objective)
    assert own.setup.objective == objective


def test_a_buffer_too_small_names_the_layer_and_what_would_do(tmp_path: Path) -> None:
    spec = tmp_path / "tiny.yaml"

    def attempt(capacity: str) -> Report:
        spec.write_text(
            "schema: energysim-hardware/1\nname: tiny\nextends: teaching\n"
            f"levels:\n  buffer:\n    capacity: {{value: {capacity}, kind: assumed, note: small}}\n"
        )
        return estimate("vgg16-cifar10", hardware=spec)

    with pytest.raises(CapacityError) as caught:
        attempt("8 B")
    message = str(caught.value)
    assert "features.conv1_1" in message
    assert "'tiny'" in message
    needed = int(message.rpartition("a buffer of ")[2].partition(" B")[0])
    with pytest.raises(CapacityError):
        attempt(f"{needed - 1} B")
    try:
        attempt(f"{needed} B")
    except CapacityError as error:  # a later layer may need more, this one is content
        assert "features.conv1_1" not in str(error)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "epilog"}, "unknown fusion 'epilog'; did you mean 'epilogue'?"),
        ({"objective": "speed"}, "unknown objective 'speed'"),
        ({"cost_model": "two_level"}, "unknown cost model 'two_level'; did you mean 'two-level'?"),
        ({"hardware": "edge54"}, "unknown hardware 'edge54'; did you mean 'edge45'?"),
        ({"sparsity": "psconf"}, "unknown scheme 'psconf'; did you mean 'psconv'?"),
        ({"sparsity": "psconv:kss=10"}, "kss"),
        ({"sparsity": "psconv:period=0"}, "period"),
        ({"sparsity": "nothing.*=psconv;"}, "'nothing.*'"),
        ({"bits": "w=40"}, "has no MAC for 40-bit weights"),
        ({"batch": -1}, "the batch must be a whole number from 1 to 1048576, not -1"),
        ({"classes": 0}, "classes must be a whole number of at least 1, not 0"),
        ({"input": (3, 32)}, ""),
        ({"activations": "nope=0.5"}, "no tensor 'nope'"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EnergysimError) as caught:
        estimate("vgg16-cifar10", **options)
    assert message in str(caught.value)


def test_the_largest_batch_is_counted(toy: LayerGraph) -> None:
    assert estimate(toy, batch=1 << 20).totals().macs == (1 << 20) * (64 * 72 + 640)


def test_a_layer_too_large_is_refused_by_name() -> None:
    b = GraphBuilder("huge", input=(1, 1, 1))
    with pytest.raises(ShapeError, match=r"'linear2'.*too large"):
        estimate(b.build(b.linear(b.linear(b.flatten(b.input), 10**9), 10**9)))


def test_shape_mismatch_names_both_nodes() -> None:
    b = GraphBuilder("wrong", input=(3, 8, 8))
    x, y = b.conv(b.input, 4, 3, name="left"), b.conv(b.input, 5, 3, name="right")
    with pytest.raises(ShapeError) as caught:
        b.add(x, y, name="sum")
    assert all(f"'{name}'" in str(caught.value) for name in ("left", "right", "sum"))


def test_unknown_part_and_scheme(pair: Report) -> None:
    with pytest.raises(UsageError, match="unknown part 'convolutions'; did you mean 'convolution'"):
        pair.totals(part="convolutions")
    with pytest.raises(UsageError, match="no scheme 'psconv'; did you mean 'psconv:PSD4_P8'"):
        pair.totals("psconv")


def test_signature_and_docstring() -> None:
    assert inspect.isfunction(es.estimate)
    signature = inspect.signature(es.estimate)
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert not {p.kind for p in signature.parameters.values()} & {
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }
    text = inspect.getdoc(es.estimate) or ""
    assert all(name in text for name in signature.parameters)


SMALL = st.integers(1, 6)


@given(SMALL, SMALL, st.integers(3, 9), st.integers(3, 9), st.sampled_from([1, 2]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_rows_of_random_networks(
    channels: int, filters: int, rows: int, cols: int, stride: int, branch: bool
) -> None:
    """Sums, compulsory traffic and MACs of small networks; sparse never has more MACs."""
    b = GraphBuilder("random", input=(channels, rows, cols))
    x = b.relu(b.batch_norm(b.conv(b.input, filters, 3, stride, 1)))
    y = b.relu(b.conv(x, filters, 3, padding=1))
    x = b.add(x, y) if branch else y
    report = estimate(b.build(b.linear(b.flatten(b.global_pool(x)), 7)), "psconv")
    for run in report.runs:
        sums = report.totals(run.scheme)
        assert sums.total_energy_aj == sum(a.energy_aj for a in run.accesses)
        assert sums.total_dram_bits == sum(a.bits for a in run.accesses if a.level == "dram")
        assert sums.total_dram_bits >= sums.compulsory_bits
        assert sums.cycles == sum(row.cycles for row in run.layers)
        for row in run.layers:
            assert row.macs <= row.dense_macs
            assert 0 <= row.utilisation <= 1
    assert report.totals().macs <= report.totals("dense").macs
