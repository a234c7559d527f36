"""Schemes put together with ``+``, whole families with ``all``, and ``strict``."""

from __future__ import annotations

import json

import numpy
import pytest
from schemes_family import EDGE, LAYER, net

from energysim.errors import SchemeError, UsageError
from energysim.graph import Conv2d
from energysim.inference import random_weights
from energysim.report import Report
from energysim.report.comparison import render
from energysim.schemes import SCHEMES, Composed, kind_of, parse_scheme, parse_schemes
from energysim.schemes.family import expanded
from energysim.validate import validate
from energysim.walker import estimate

GRAPH = net(36, 36, size=(8, 7))


def test_each_part_works_on_what_the_parts_before_it_made():
    scheme = parse_scheme("shift+nm:2:4")
    rewrite = scheme.apply(GRAPH)
    op = rewrite.graph.node(LAYER).op
    assert isinstance(op, Conv2d) and op.window == (1, 1) and op.kernel is not None
    assert op.kernel.nonzeros == 36 * 36 // 2
    assert rewrite.trace[LAYER].scheme == "shift+nm:2:4"
    assert rewrite.trace[f"{LAYER}.shift"].scheme == "shift"
    assert {o.node for o in rewrite.trace.values()} == {n.name for n in GRAPH}
    assert validate(GRAPH, "shift+nm:2:4", inputs=2).passed


def test_composed_text():
    for text in ("shift+nm:2:4", "shift:map=stored+unstructured:density=0.5,balance=2"):
        assert str(parse_scheme(text)) == text
        assert isinstance(parse_scheme(text), Composed)
    assert [str(s) for s in parse_schemes("dense,shift+nm:2:4,order=filters,shift,map=stored")] == [
        "dense",
        "shift+nm:2:4,order=filters",
        "shift:map=stored",
    ]
    assert str(parse_scheme("layer=shift+nm:2:4;")) == "layer=shift+nm:2:4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("psconv+nm:2:4", "'psconv:PSD4_P8' and 'nm:2:4' each decide which weights exist"),
        ("nm:2:4+shift", "'shift' replaces a layer by others and goes before 'nm:2:4', which decides which"),
        ("shift+shift", "'shift' and 'shift' each replace a layer by others"),
        ("dense+nm:2:4", "'dense' cannot be put together with others"),
        ("shift+", "'shift+' puts nothing together"),
        ("shift+nmm:2:4", "unknown scheme 'nmm'; did you mean 'nm'?"),
        ("shift+all", "'all' cannot be put together with others"),
    ],
)
def test_contradictions(text, message):
    with pytest.raises(Exception) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_what_each_part_leaves_is_listed():
    left = {e.node: e.reason for e in parse_scheme("shift+nm:2:4").apply(net(13, 20)).left}
    assert left["first"] == "shift: first convolution; nm: first convolution"
    assert left[LAYER] == "nm: groups of 4 do not divide 13 consecutive input channels"


def test_only_some_layers():
    rewrite = parse_scheme("shift+nm:2:4").apply(GRAPH, [LAYER])
    assert rewrite.changed == (LAYER,)


def test_the_whole_family():
    schemes, optional, skipped = expanded(parse_schemes("dense,all,nm:2:4"))
    assert skipped == ()
    assert len(set(schemes)) == len(schemes)
    assert parse_scheme("nm:2:4") in schemes and parse_scheme("nm:2:4") not in optional
    assert {"shift", "psconv:PSD4_P8", "nm:1:4"} <= {str(s) for s in optional}


def test_what_does_not_apply_is_skipped_with_its_reason():
    graph = net(13, 21, size=(6, 6))
    report = estimate(graph, "all")
    skipped = dict(report.skipped)
    assert skipped["nm:2:4"].startswith("no layer it can change: ")
    assert "groups of 4 do not divide 13 consecutive input channels" in skipped["nm:2:4"]
    assert "shift" in report.schemes and "nm:2:4" not in report.schemes
    assert Report.from_json(report.to_json()) == report
    text = render(report, "table", "network")
    assert "\nskipped: nm:2:4: no layer it can change: " in text
    assert json.loads(render(report, "json", "network"))["skipped"] == [list(s) for s in report.skipped]
    asked = estimate(graph, "nm:2:4")  # what is asked for by name is never skipped
    assert asked.schemes == ("dense", "nm:2:4")


def test_sorting():
    report = estimate(GRAPH, "nm:2:4,shift,nm:1:4,psconv")
    for quantity in ("energy_pj", "macs", "dram_bits", "stored_weight_bits"):
        found = report.sorted_by(quantity)
        assert found.schemes[0] == "dense"
        assert sorted(found.schemes) == sorted(report.schemes)
    energies = [report.totals(s).total_energy_aj for s in report.sorted_by("energy_pj").schemes[1:]]
    assert energies == sorted(energies)
    assert report.sorted_by("scheme").schemes == ("dense", "nm:1:4", "nm:2:4", "psconv:PSD4_P8", "shift")
    with pytest.raises(UsageError, match="unknown column 'energy' to sort by; did you mean 'energy_pj'"):
        report.sorted_by("energy")


def test_strict_names_the_layer():
    with pytest.raises(SchemeError) as caught:
        estimate(GRAPH, "shift", strict=True)
    message = str(caught.value)
    assert message.startswith(
        "layer 'first': shift leaves it as it is: first convolution (and 1 more layers)"
    )
    assert estimate(GRAPH, "l*=shift", strict=True).schemes == ("dense", "l*=shift")
    with pytest.raises(SchemeError, match=r"layer 'fc': .* leaves it as it is: linear layer"):
        estimate(GRAPH, "fc=shift", strict=True)


FIRST = [name for name in sorted(SCHEMES.builtin) if kind_of(name).family]


def pairs() -> list[str]:
    """All pairs of schemes, the first member of each family, that do not contradict each other."""
    found = []
    for one in FIRST:
        for two in FIRST:
            text = "+".join(kind_of(name).family[0] for name in (one, two))
            try:
                parse_scheme(text)
            except SchemeError:
                continue
            found.append(text)
    return found


@pytest.mark.parametrize("text", [pair for pair in pairs() if "+" in pair])
def test_any_two_together_run_as_they_are_costed(text):
    """Or say in one line, with the layer's name, why they cannot."""
    graph = net(32, 32, size=(6, 5))
    try:
        found = validate(graph, text, EDGE, inputs=1)
    except SchemeError as error:
        assert text in ("penni:d=5,density=0.1+freq:rate=0.1", "penni:d=5,density=0.1+ternary"), error
        assert str(error).startswith("layer 'layer")
        return
    assert found.passed, found.problems


def test_a_scheme_that_looks_at_weights_gets_them_in_validate(tmp_path):
    """By magnitude: what is kept is the largest of the weights that are run."""
    weights = random_weights(GRAPH, 3)
    numpy.savez(tmp_path / "weights.npz", **weights)
    found = validate(GRAPH, "unstructured:density=1/4,by=magnitude", weights=(str(tmp_path / "weights.npz"),))
    assert found.passed, found.problems
    with pytest.raises(UsageError, match="without weights: give --weights FILE"):
        validate("resnet18-cifar10", "nm:2:4,by=magnitude")


def test_weights_made_twice_are_told():
    with pytest.raises(SchemeError) as caught:
        parse_scheme("layer=penni:d=2,density=0.5+freq:rate=0.1").apply(GRAPH)
    text = "layer 'layer.basis': two schemes each make its weights from fewer values, 18 and "
    assert str(caught.value).startswith(text)
