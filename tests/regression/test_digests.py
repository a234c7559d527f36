"""Digests move with what numbers depend on, and with nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from energysim.errors import EnergysimError, UsageError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.hardware import load_hardware
from energysim.kernels import MaskKernel
from energysim.mapping.hierarchy.files import read_mappings
from energysim.regression.digests import canonical, digest, graph_digest, hardware_digest, mappings_digest
from energysim.resources import data_folder
from energysim.schemes import parse_schemes
from energysim.zoo import load_model


@dataclass(frozen=True)
class Old:
    a: int
    word: str = field(default="", compare=False)


def grown() -> type:
    """The same class a version later: one more field, with a default."""

    @dataclass(frozen=True)
    class Old:
        a: int
        word: str = field(default="", compare=False)
        b: Fraction = Fraction(1)

    return Old


def test_a_field_at_its_default_does_not_count() -> None:
    later = grown()
    assert digest(Old(3)) == digest(later(3)) == digest(later(3, b=Fraction(1)))
    assert digest(later(3, b=Fraction(2))) != digest(later(3))
    assert digest(later(3, b=True)) != digest(later(3))  # equal to the default, yet something else
    assert digest(Old(3, "x")) == digest(Old(3, "y"))


def test_values_that_differ_are_written_differently() -> None:
    values: list[object] = [
        None,
        True,
        1,
        "1",
        b"1",
        1.0,
        0.1,
        (1,),
        ((1,),),
        {"a": 1},
        {1: "a"},
        {1},
        np.array([1]),
        np.array([1.0]),
        np.array([[1]]),
        MaskKernel(np.ones((1, 2, 1, 1), dtype=bool)),
        MaskKernel(np.ones((2, 1, 1, 1), dtype=bool)),
        int,
    ]
    texts = [canonical(value) for value in values]
    assert len(set(texts)) == len(values)
    assert not any(" at 0x" in text for text in texts)
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical(np.int64(3)) == canonical(3)
    assert canonical({2, 1}) == canonical(frozenset((1, 2)))


def test_what_nothing_is_known_of_is_refused() -> None:
    class Slots:
        __slots__ = ()

    with pytest.raises(UsageError, match="a Slots cannot be recorded"):
        canonical(Slots())


def small(kernel: int = 3, dilation: int = 1, name: str = "small", width: int = 8) -> LayerGraph:
    b = GraphBuilder(name, (2, width, 8))
    x = b.relu(b.conv(b.input, 4, kernel, padding=dilation * (kernel // 2), dilation=dilation, name="conv"))
    return b.build(x)


def test_networks() -> None:
    plain = graph_digest(small())
    assert plain == graph_digest(small(name="other"))
    others = [small(kernel=5), small(dilation=2), small(width=9), small().with_batch(2)]
    others.append(small().with_widths({"conv": 4}))
    others.append(small().with_widths(parameters={"conv.weight": 4}))
    thin = replace(small().tensors["conv"], density=Fraction(1, 2))
    others.append(small().with_tensors({"conv": thin}))
    found = [plain, *map(graph_digest, others)]
    assert len(set(found)) == len(found)
    zoo = [graph_digest(load_model(name)) for name in ("vgg16", "vgg19", "resnet18", "vgg16-tiny")]
    assert len(set(zoo)) == 4


def changed(text: str, old: str, new: str, folder: Path) -> str:
    assert text.count(old) == 1
    path = folder / "spec.yaml"
    path.write_text(text.replace(old, new))
    return hardware_digest(load_hardware(path))


def test_hardware(tmp_path: Path) -> None:
    text = (data_folder("hwspecs") / "teaching.yaml").read_text("utf-8")
    own = hardware_digest(load_hardware("teaching"))
    assert changed(text, "# Two levels", "# Three words,\n# Two levels", tmp_path) == own
    assert changed(text, "where: chip specification", "where: page 3", tmp_path) == own
    assert changed(text, "one cycle is one nanosecond", "so it is", tmp_path) == own
    assert changed(text, "value: 1 GHz", "value: 2 GHz", tmp_path) != own
    assert changed(text, "value: 108 KiB", "value: 107 KiB", tmp_path) != own
    assert (
        changed(
            text,
            "activations: {stored_compressed: false, compute: none}",
            "activations: {stored_compressed: false, compute: gate}",
            tmp_path,
        )
        != own
    )


def test_schemes_by_content_not_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "schema: energysim-patterns/1\nwindow: [3, 3]\nslots: [[0, 1], [4]]\n"
    for name, content in (("a.yaml", text), ("b.yaml", text), ("c.yaml", text.replace("[4]", "[5]"))):
        Path(name).write_text(content)
    a, b, c = (digest(parse_schemes(f"psconv:patterns={name}.yaml")) for name in "abc")
    assert a == b != c


def test_schemes_by_what_their_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path("own.yaml")
    own.write_text("schema: energysim-patterns/1\nwindow: [3, 3]\nslots: [[0, 1], [4]]\n")
    before = digest(parse_schemes("psconv:patterns=own.yaml"))
    own.write_text(
        "# two slots\nslots:\n- [0,\n   1]\n\n- [4]  # last\nwindow: [3, 3]\nschema: 'energysim-patterns/1'"
    )
    assert digest(parse_schemes("psconv:patterns=own.yaml")) == before


MAPPINGS = """\
schema: energysim-mapping/1
layers:
  conv1:
    dram: M2 C4
    X: Q4
    bypass: {buffer: weights}
  fc: "dram: M16"
"""


def mapped(text: str, folder: Path) -> str:
    (folder / "m.yaml").write_text(text)
    return mappings_digest(folder / "m.yaml")


def test_mappings_by_what_their_file_says(tmp_path: Path) -> None:
    own = mapped(MAPPINGS, tmp_path)
    same = (
        f"# of the small network\n\n{MAPPINGS}\n# end\n",
        MAPPINGS.replace("dram: M2 C4", "dram:   'M2  C4'  # outermost"),
        MAPPINGS.replace("    dram: M2 C4\n    X: Q4\n", "    X: Q4\n    dram: M2 C4\n"),
        MAPPINGS.replace("dram: M2 C4", "dram: M2 C4 P1"),  # a loop of one trip is none
        'schema: energysim-mapping/1\nlayers:\n  fc: {dram: M16}\n  "conv1": '
        '"X: Q4; dram: M2 C4; bypass buffer: weights"\n',
    )
    assert {mapped(text, tmp_path) for text in same} == {own}
    others = [
        MAPPINGS.replace("M2 C4", "C4 M2"),  # another loop is the outer one
        MAPPINGS.replace("M16", "M8"),
        MAPPINGS.replace("Q4", "P4"),
        MAPPINGS.replace("X: Q4", "Y: Q4"),
        MAPPINGS.replace("{buffer: weights}", "{buffer: inputs}"),
        MAPPINGS.replace("fc:", "fc2:"),
    ]
    found = [own, *(mapped(text, tmp_path) for text in others)]
    assert len(set(found)) == len(found)
    assert mappings_digest(read_mappings(tmp_path / "m.yaml")) == found[-1]
    with pytest.raises(EnergysimError, match="cannot be read: No such file"):
        mappings_digest(tmp_path / "none.yaml")
