"""Loading: names, files, graphs, and everything that can be wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from energysim.errors import GraphError, ModelError, ShapeError, UnknownNameError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.zoo import load_model, model_names

GOOD = """
from energysim.graph import GraphBuilder

def build(input=(3, 8, 8), classes=10):
    b = GraphBuilder("net", input)
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="conv"))
    return b.build(b.linear(b.flatten(x), classes, name="fc"))
"""


def write(folder: Path, text: str, name: str = "my_net.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_names_are_sorted_and_load() -> None:
    names = model_names()
    assert names == sorted(set(names))
    assert {"vgg16", "resnet18-cifar10", "vit_b_16"} <= set(names)


def test_a_name() -> None:
    graph = load_model("vgg16")
    assert isinstance(graph, LayerGraph)
    assert graph.name == "vgg16"
    assert graph.tensor("input").shape == (1, 3, 224, 224)
    assert graph.parameter_count() == 138_357_544


def test_input_classes_and_batch() -> None:
    graph = load_model("vgg16-cifar10", input=[1, 64, 32], classes=7, batch=5)
    assert graph.tensor("input").shape == (5, 1, 64, 32)
    assert graph.tensor(graph.outputs[0]).shape == (5, 7)
    assert graph.name == "vgg16-cifar10"


def test_loading_twice_gives_equal_and_separate_graphs() -> None:
    one, two = load_model("resnet18"), load_model("resnet18", input=(3, 64, 64))
    assert one.tensor("input").shape == (1, 3, 224, 224)
    assert [n.name for n in one] == [n.name for n in two]
    assert load_model("resnet18").nodes == one.nodes


@pytest.mark.parametrize(
    ("name", "near"),
    [("vgg166", "vgg16"), ("VGG16", "vgg16"), ("resnet-18", "resnet18"), ("mobilenetv2", "mobilenet_v2")],
)
def test_unknown_name_with_a_near_miss(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"unknown model '{name}'; did you mean '{near}[^']*'\?"):
        load_model(name)


def test_unknown_name_without_a_near_miss_lists_the_zoo() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'qqq' \(known: alexnet, .*vit_b_16\)"):
        load_model("qqq")


@pytest.mark.parametrize("as_text", [True, False])
def test_a_users_file(tmp_path: Path, as_text: bool) -> None:
    path = write(tmp_path, GOOD)
    graph = load_model(str(path) if as_text else path, classes=3, batch=2)
    assert graph.name == "my_net"
    assert graph.tensor("fc").shape == (2, 3)
    assert graph.parameter_count() == 4 * 27 + 4 + 256 * 3 + 3


def test_a_file_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD, "vgg.py")
    monkeypatch.chdir(tmp_path)
    assert load_model("vgg.py").parameter_count() == 4 * 27 + 4 + 256 * 10 + 10
    assert load_model("vgg11").parameter_count() == 132_863_336


def test_a_file_is_read_again_after_a_change(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert "conv" in [n.name for n in load_model(path)]
    write(tmp_path, GOOD.replace('name="conv"', 'name="knov"'))
    assert "knov" in [n.name for n in load_model(path)]


def test_a_file_may_use_dataclasses(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Size:\n"
        "    n: int\n"
    )
    assert len(load_model(write(tmp_path, text + GOOD))) == 4


def test_a_graph_is_returned_as_it_is() -> None:
    b = GraphBuilder("mine", (3, 8, 8), batch=4)
    graph = b.build(b.conv(b.input, 4, 3))
    assert load_model(graph) is graph
    assert load_model(graph, batch=2).batch == 2
    for arguments in ({"classes": 3}, {"input": (3, 8, 8)}):
        with pytest.raises(ModelError, match="a graph has its input and classes already"):
            load_model(graph, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "def bild(): pass\n",
            r"my_net\.py: a model file needs a function build\(\.\.\.\) -> LayerGraph; did you",
        ),
        ("", r"needs a function build"),
        ("build = 3\n", r"needs a function build"),
        ("def build():\n    return 3\n", r"my_net\.py: build returned int, not a LayerGraph"),
        ("def build():\n    pass\n", r"build returned NoneType"),
        (
            "def build():\n    x = 1\n    raise ValueError('no luck')\n",
            r"my_net\.py:3: build\(\) failed: ValueError: no luck",
        ),
        ("def build():\n    return 1 / 0\n", r"my_net\.py:2: build\(\) failed: ZeroDivisionError"),
        ("def build():\n    raise SystemExit(3)\n", r"my_net\.py:2: build\(\) failed: SystemExit: 3"),
        ("def build():\n    return nothing\n", r"my_net\.py:2: .*NameError: name 'nothing'"),
        ("def build(size):\n    pass\n", r"build\(\) failed: TypeError: .*missing 1 required"),
        ("\n\ndef build(:\n", r"my_net\.py:3: cannot be loaded: SyntaxError: "),
        ("x = (\n", r"my_net\.py:1: cannot be loaded: SyntaxError: '\(' was never closed$"),
        ("if True:\npass\n", r"my_net\.py:2: cannot be loaded: IndentationError: "),
        ("x = 1\nimport no_such_module_xyz\n", r"my_net\.py:2: cannot be loaded: ModuleNotFoundError"),
        ("import sys\nsys.exit(0)\n", r"my_net\.py:2: cannot be loaded: SystemExit: 0"),
        ("x = '\x00'\n", r"my_net\.py.*cannot be loaded: (Syntax|Value)Error: "),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_a_failing_helper_is_reported_at_the_line_of_the_file(tmp_path: Path) -> None:
    text = "import json\ndef build():\n    return inner()\n\ndef inner():\n    return json.loads('{')\n"
    with pytest.raises(ModelError, match=r"my_net\.py:6: build\(\) failed: JSONDecodeError"):
        load_model(write(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "my_net.py"
    path.write_bytes(b"x = '\xff\xfe'\n")
    with pytest.raises(ModelError, match=r"my_net\.py.*cannot be loaded: SyntaxError"):
        load_model(path)


def test_a_file_that_failed_leaves_no_module(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load_model(write(tmp_path, "1/0\n", "broken_file_of_a_test.py"))
    assert not [name for name in sys.modules if "broken_file_of_a_test" in name]


@pytest.mark.parametrize("name", ["missing.py", "folder/missing.py", "folder/missing"])
def test_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"no model file .*missing"):
        load_model(name)


def test_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    load_model(path)
    assert list(tmp_path.iterdir()) == [path]


def test_control_c_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_model(write(tmp_path, "raise KeyboardInterrupt\n"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path)


def test_a_file_that_is_not_python(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"my_net\.txt: a model file is a Python file \(\.py\)"):
        load_model(write(tmp_path, GOOD, "my_net.txt"))


def test_a_build_that_does_not_take_what_was_asked(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace(", classes=10", "").replace("classes", "10"))
    assert len(load_model(path)) == 4
    with pytest.raises(ModelError, match=r"my_net\.py: build takes input, but no 'classes'"):
        load_model(path, classes=3)


def test_a_build_that_takes_anything(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("classes=10", "**rest").replace("classes", "rest['classes']"))
    assert load_model(path, classes=3).tensor("fc").shape == (1, 3)


def test_errors_of_the_graph_come_through(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("b.flatten(x)", "x"))
    with pytest.raises(ShapeError, match=r"node 'fc' .*'act1' gives 1x4x8x8"):
        load_model(path)


@pytest.mark.parametrize("input", [(3, 0, 8), (3, -1, 8), (), (3, 8), (8,), (3, 2.5, 8), (1, 3, 224, 224)])
def test_inputs_that_are_wrong(input: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\S"):
        load_model("vgg16", input=input)


@pytest.mark.parametrize("batch", [0, -3])
def test_batches_that_are_wrong(batch: int) -> None:
    with pytest.raises(GraphError, match="the batch must be a whole number from 1 to 1048576"):
        load_model("vgg16-cifar10", batch=batch)


@pytest.mark.parametrize("classes", [0, -1, 2.5, "ten", True])
def test_classes_that_are_wrong(classes: object) -> None:
    with pytest.raises(ModelError, match="classes must be a whole number of at least 1, not"):
        load_model("vgg16-cifar10", classes=classes)  # type: ignore[arg-type]
