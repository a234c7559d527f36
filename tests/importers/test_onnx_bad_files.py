"""Bad input: one clear message, exit code 2, no traceback, little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from small_models import conv_model, model, node, weights  # noqa: E402
from support import Process  # noqa: E402

from energysim.errors import EnergysimError, ModelError, UnknownOperatorError, UsageError  # noqa: E402
from energysim.importers import import_onnx  # noqa: E402
from energysim.zoo import load_model  # noqa: E402

GOOD = conv_model().SerializeToString()
INT64 = np.int64


def problem(data: bytes) -> str:
    """The message for a model, made with little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(EnergysimError) as caught:
            import_onnx(data)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def one(operator: str, *arrays: Any, lengths: Any = (1, 3, 4, 4), **more: Any) -> bytes:
    """A model of one node on x and constants."""
    names = [f"c{i}" for i in range(len(arrays))]
    made = model(
        [node(operator, ["x", *names], ["y"], "bad", **more)],
        {"x": lengths},
        ["y"],
        {name: np.asarray(array) for name, array in zip(names, arrays, strict=True)},
    )
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GOOD[: len(GOOD) // 2], "no ONNX model, or one that is cut short: byte "),
        (b"", "no ONNX model, or one that is cut short: it holds no graph"),
        (b"import torch\nprint(1)\n", "no ONNX model but a text file: byte "),
        (
            b"PK\x03\x04" + bytes(100),
            "no ONNX model but a zip archive (PyTorch's .pt and NumPy's .npz are such): ",
        ),
        (b"\x89HDF\r\n\x1a\n", "no ONNX model but an HDF5 file (Keras): "),
        (b"\x08" + b"\xff" * 20, "no ONNX model, or one that is cut short: byte 1: a number does not end"),
    ],
)
def test_files_of_other_kinds(data: bytes, message: str) -> None:
    assert problem(data).startswith(f"the model: {message}")


def test_every_truncation() -> None:
    for length in range(0, len(GOOD), 7):
        assert "the model: " in problem(GOOD[:length])


def changed(change: Callable[[Any], None], made: Any = None) -> bytes:
    made = conv_model() if made is None else made
    change(made)
    return bytes(made.SerializeToString())


def no_nodes(m: Any) -> None:
    del m.graph.node[:]


def cycle(m: Any) -> None:
    m.graph.node[0].input[0] = "y"


def nobody(m: Any) -> None:
    m.graph.node[1].input[0] = "cc"


def twice(m: Any) -> None:
    m.graph.node[1].output[0] = "c"


def two_weights(m: Any) -> None:
    m.graph.initializer[1].name = "conv.weight"


def no_output(m: Any) -> None:
    del m.graph.output[:]


def lost_output(m: Any) -> None:
    m.graph.output[0].name = "z"


def huge_weight(m: Any) -> None:
    m.graph.initializer[0].dims[:] = [1 << 20, 1 << 20, 3, 3]


def negative_weight(m: Any) -> None:
    m.graph.initializer[0].dims[0] = -4


def strings(m: Any) -> None:
    m.graph.input[0].type.tensor_type.elem_type = 8


def old(m: Any) -> None:
    m.opset_import[0].version = 6


def new(m: Any) -> None:
    m.opset_import[0].version = 999


def no_text(m: Any) -> bytes:
    return bytes(m.SerializeToString()).replace(b"conv.bias", b"conv.\xff\xfe\xfd\xfc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_nodes, "the model: nobody makes its output 'y'"),
        (cycle, "the model: the graph has a cycle: "),
        (nobody, "the model: node 'y' (Relu): its input 'cc' is nobody's output"),
        (twice, "the model: two producers of 'c'"),
        (two_weights, "the model: two initialisers are called 'conv.weight', or one has no name"),
        (no_output, "the model: its graph has no output"),
        (lost_output, "the model: nobody makes its output 'z'"),
        (
            huge_weight,
            "the model: tensor 'conv.weight': 1048576x1048576x3x3 needs 39582418599936 bytes, 432 are",
        ),
        (negative_weight, "the model: tensor 'conv.weight': a shape of (-4, 3, 3, 3)"),
        (strings, "the model: input 'x' is no tensor of numbers"),
        (old, "the model: it uses operator set 6; known are 7 to "),
        (new, "the model: it uses operator set 999; known are 7 to "),
    ],
)
def test_graphs_that_are_none(change: Any, message: str) -> None:
    assert problem(changed(change)).startswith(message)


def test_names_that_are_no_text() -> None:
    assert "a name that is no text" in problem(no_text(conv_model()))


def test_a_graph_that_returns_its_input() -> None:
    """No node at all; one that only passes its input on is a network."""
    assert "its graph is empty" in problem(model([], {"x": (1, 3)}, ["x"]).SerializeToString())
    passed = model([node("Identity", ["x"], ["y"])], {"x": (1, 3)}, ["y"]).SerializeToString()
    assert len(import_onnx(passed).graph) == 1


def test_a_graph_without_inputs() -> None:
    made = model([node("Relu", ["w"], ["y"])], {}, ["y"], {"w": weights(3, 4)})
    assert "it has no input: all that it returns" in problem(made.SerializeToString())


def test_an_empty_graph() -> None:
    made = model([], {"x": (1, 3)}, [])
    assert problem(made.SerializeToString()) == "the model: its graph has no output"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (one("Expand", np.array([1 << 14] * 4)), "cannot be expanded"),
        (one("Tile", np.array([1, 1, 1 << 30, 1 << 30])), "is too large"),
        (one("Reshape", np.array([5, -1])), "1x3x4x4 cannot be reshaped to (5, -1)"),
        (one("Pad", np.array([0, 0, 1 << 40, 0, 0, 0, 0, 0])), "is too large"),
        (one("Resize", np.zeros(0, "f4"), np.array([1, 1, 1e9, 1e9], "f4")), "scales ["),
        (one("Conv", weights(4, 2, 3, 3)), "weights of 4x2x3x3 in 1 groups take 2 channels, the input has 3"),
        (one("Conv", weights(4, 3, 3, 3), strides=[0, 1]), "strides must be 2 positive numbers"),
        (one("Conv", weights(4, 3, 3, 3), auto_pad="SAME"), "auto_pad is one of NOTSET"),
        (one("Conv", weights(4, 3, 9, 9)), "does not fit"),
        (one("Conv", weights(4, 3, 3, 3), lengths=(1, 3, 1 << 20, 1 << 20)), "is too large"),
        (one("Transpose", perm=[0, 1, 1, 2]), "perm (0, 1, 1, 2) of a tensor of 4 dimensions"),
        (one("Squeeze", np.array([7])), "axes (7,) of a tensor of 4 dimensions"),
        (one("Gather", np.array([9]), axis=1), "indices outside axis 1"),
        (one("Slice", np.array([0]), np.array([1]), np.array([0]), np.array([0])), "of a slice do not fit"),
        (one("Flatten", axis=9), "axis 9 of a tensor of 4 dimensions"),
        (one("AveragePool", kernel_shape=[2, 2], ceil_mode=7), "'ceil_mode' must be 0 or 1, not 7"),
        (one("TopK", np.array([2]), largest=2), "'largest' must be 0 or 1, not 2"),
    ],
)
def test_nodes_that_do_not_fit(data: bytes, message: str) -> None:
    found = problem(data)
    assert message in found
    assert found.startswith("the model: node 'bad' (") or message == "is too large"


@pytest.mark.parametrize(
    ("nodes", "arrays"),
    [
        ([("ConstantOfShape", ["s"])], {"s": np.array([1 << 20, 1 << 20])}),
        ([("Range", ["a", "b", "c"])], {"a": INT64(0), "b": INT64(1 << 50), "c": INT64(1)}),
        ([("Expand", ["a", "s"])], {"a": np.float32(1), "s": np.array([1 << 20, 1 << 20])}),
        ([("Tile", ["a", "s"])], {"a": weights(8), "s": np.array([1 << 40])}),
        ([("Mul", ["a", "b"])], {"a": weights(60000, 1), "b": weights(1, 60000)}),
        ([("Gather", ["a", "i"])], {"a": weights(1, 60000), "i": np.zeros(60000, INT64)}),
        ([("MatMul", ["a", "b"])], {"a": weights(60000, 1), "b": weights(1, 60000)}),
    ],
)
def test_constants_that_grow(nodes: Any, arrays: Any) -> None:
    """Nothing of a terabyte is made: neither computed at once, nor promised for later."""
    (operator, inputs), *_ = nodes
    made = model(
        [node(operator, inputs, ["k"], "grow"), node("Add", ["x", "k"], ["y"])], {"x": (1, 4)}, ["y"], arrays
    )
    found = problem(made.SerializeToString())
    assert found.startswith(f"the model: node 'grow' ({operator}): ")
    assert "too large" in found


def test_exponential_functions() -> None:
    """A function that calls the next one twice, forty deep: refused, not written out."""
    from onnx import helper

    functions = []
    for level in range(40):
        inner = f"f{level + 1}" if level < 39 else "Relu"
        domain = "local" if level < 39 else ""
        body = [
            helper.make_node(inner, ["a"], ["b"], domain=domain),
            helper.make_node(inner, ["b"], ["c"], domain=domain),
        ]
        sets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
        functions.append(helper.make_function("local", f"f{level}", ["a"], ["c"], body, sets))
    made = model(
        [helper.make_node("f0", ["x"], ["y"], domain="local")],
        {"x": (1, 4)},
        ["y"],
        domains={"local": 1},
        functions=functions,
    )
    assert "functions are nested deeper than" in problem(made.SerializeToString())


def test_a_function_that_calls_itself() -> None:
    from onnx import helper

    sets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    body = [helper.make_node("f", ["a"], ["b"], domain="local")]
    made = model(
        [helper.make_node("f", ["x"], ["y"], domain="local")],
        {"x": (1, 4)},
        ["y"],
        domains={"local": 1},
        functions=[helper.make_function("local", "f", ["a"], ["b"], body, sets)],
    )
    assert "or call themselves" in problem(made.SerializeToString())


def test_unknown_operators() -> None:
    from onnx import helper

    nodes = [
        node("Relu", ["x"], ["r"]),
        helper.make_node("Fancy", ["r"], ["f"], "odd", domain="my.ops"),
        node("Relu", ["f"], ["y"]),
    ]
    made = model(nodes, {"x": (1, 3, 4, 4)}, ["y"], domains={"my.ops": 1})
    wanted = (
        "the model: node 'odd' (my.ops::Fancy): nothing is known of the cost of operator 'my.ops::Fancy'; "
        "--allow-unknown leaves it out and says so"
    )
    assert problem(made.SerializeToString()) == wanted
    with pytest.raises(UnknownOperatorError, match="nor of the shape of its output 'f'"):
        import_onnx(made.SerializeToString(), allow_unknown=True)
    made.graph.value_info.append(helper.make_tensor_value_info("f", 1, (1, 5, 2, 2)))
    graph = import_onnx(made.SerializeToString(), allow_unknown=True).graph
    assert graph.node("odd").op.kind == "my.ops::Fancy"
    assert graph.tensor(graph.outputs[0]).shape == (1, 5, 2, 2)


def test_all_unknown_operators_are_named_at_once() -> None:
    """Those behind others too, and forms of known ones; what only reads them is not blamed."""
    from onnx import helper

    nodes = [
        helper.make_node("Fancy", ["x"], ["f"], "odd", domain="my.ops"),
        node("Relu", ["f"], ["r"]),
        helper.make_node("Other", ["r"], ["o"], "odder", domain="my.ops"),
        node("Flatten", ["o"], ["flat"]),
        node("Conv", ["x", "w"], ["solid"], "solid", kernel_shape=[1, 1, 1]),
        node("LSTM", ["flat"], ["y"], "last"),
    ]
    made = model(
        nodes, {"x": (1, 3, 4, 4, 4)}, ["y", "solid"], {"w": weights(2, 3, 1, 1, 1)}, domains={"my.ops": 1}
    )
    assert problem(made.SerializeToString()) == (
        "the model: nothing is known of the cost of 4 operators: node 'odd' (my.ops::Fancy), "
        "node 'odder' (my.ops::Other), node 'solid' (Conv: it has 3 image axes; 1 and 2 are known), "
        "node 'last' (LSTM); --allow-unknown leaves out those whose shapes the file states, and says so"
    )


def test_unknown_operators_are_listed_not_counted(tmp_path: Path) -> None:
    from onnx import helper

    from energysim.walker import estimate

    made = conv_model()
    made.graph.node.append(helper.make_node("Fancy", ["y"], ["z"], "odd", domain="my.ops"))
    made.opset_import.append(helper.make_opsetid("my.ops", 1))
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", 1, (1, 4, 2, 2)))
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(UnknownOperatorError, match=r"net\.onnx: node 'odd' \(my\.ops::Fancy\)"):
        estimate(path)
    report = estimate(path, allow_unknown=True)
    assert report.runs[0].uncounted == ("odd (my.ops::Fancy)",)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (
            ("N", 3, "H", "W"),
            "lengths of its inputs are open: 'H' of x (Nx3xHxW), 'W' of x (Nx3xHxW); give them",
        ),
        (
            (None, 3, None, 8),
            "lengths of its inputs are open: '?' of x (?x3x?x8); give them, for example --input ",
        ),
    ],
)
def test_open_lengths(lengths: Any, message: str) -> None:
    data = conv_model(lengths).SerializeToString()
    assert message in problem(data)
    assert import_onnx(data, {"x": (2, 3, 8, 8)}).graph.tensor("y").shape == (2, 4, 8, 8)
    assert import_onnx(data, (3, 8, 8)).graph.tensor("y").shape == (1, 4, 8, 8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": (1, 3, 8, 8)}, "the model: it has no input 'y'"),
        ({"x": (1, 4, 8, 8)}, "the model: its input 'x' is Nx3xHxW, not 1x4x8x8"),
        ({"x": (3, 8, 8)}, "the model: its input 'x' is Nx3xHxW, not 3x8x8"),
        ((4, 8, 8), "the model: its input 'x' is Nx3xHxW, not 1x4x8x8"),
    ],
)
def test_shapes_that_contradict_the_file(given: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        import_onnx(conv_model(("N", 3, "H", "W")).SerializeToString(), given)
    assert str(caught.value).startswith(message)


def test_one_name_one_length() -> None:
    made = model([node("Add", ["a", "b"], ["y"])], {"a": (1, "L"), "b": (1, "L")}, ["y"])
    with pytest.raises(UsageError, match="'L' would be 4 and 5: it is one length"):
        import_onnx(made.SerializeToString(), {"a": (1, 4), "b": (1, 5)})


def test_shapes_the_file_states_must_agree() -> None:
    from onnx import helper

    made = conv_model()
    made.graph.value_info.append(helper.make_tensor_value_info("c", 1, (1, 4, 8, 9)))
    assert problem(made.SerializeToString()) == (
        "the model: node 'c' (Conv): its output 'c' is 1x4x8x8 here, the file says 1x4x8x9"
    )


# ---------------------------------------------------------------- external data


def external(folder: Path, location: str, offset: int | None = None, length: int | None = None) -> Path:
    """A model whose convolution weights lie in another file."""
    made = conv_model()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def test_external_weights_are_read(tmp_path: Path) -> None:
    values = weights(4, 3, 3, 3)
    (tmp_path / "w.bin").write_bytes(bytes(16) + values.tobytes() + bytes(3))
    path = external(tmp_path, "w.bin", 16, 432)
    assert np.array_equal(import_onnx(path).weights["conv.weight"], values)


@pytest.mark.parametrize(
    ("location", "offset", "length", "message"),
    [
        ("gone.bin", 0, 432, "its values should be in 'gone.bin', which is not there"),
        ("../secret", 0, 432, "external data '../secret' is not in the folder of the model: it is not read"),
        ("sub/../../secret", 0, 432, "is not in the folder of the model"),
        (
            "/etc/passwd",
            0,
            432,
            "external data '/etc/passwd' is not in the folder of the model: it is not read",
        ),
        ("C:\\secret", 0, 432, "is not in the folder of the model"),
        ("", 0, 432, "is not in the folder of the model"),
        ("link", 0, 432, "external data 'link' leads out of the folder of the model: it is not read"),
        ("folder", 0, 432, "its values should be in 'folder', which is no file"),
        ("w.bin", 400, 432, "its values should be bytes 400 to 832 of 'w.bin', which has 500"),
        ("w.bin", 0, 431, "4x3x3x3 needs 432 bytes, 431 are named in 'w.bin'"),
        ("w.bin", -1, 432, "external data has the offset '-1'"),
        ("w.bin", 10**30, 432, "external data has the offset"),
        ("w\0.bin", 0, 432, "is not in the folder of the model"),
    ],
)
def test_external_data_that_is_refused(
    tmp_path: Path, location: str, offset: int, length: int, message: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret").write_bytes(bytes(500))
    (home / "w.bin").write_bytes(bytes(500))
    (home / "folder").mkdir()
    (home / "link").symlink_to(tmp_path / "secret")
    path = external(home, location, offset, length)
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: tensor 'conv.weight': ")


def test_two_gigabytes_that_are_missing(tmp_path: Path) -> None:
    made = conv_model()
    tensor = made.graph.initializer[0]
    tensor.dims[:] = [1 << 16, 1 << 13]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="big.bin")
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=r"'big\.bin', which is not there"):
        import_onnx(path)


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.onnx", None, "no model file gone.onnx"),
        ("text.onnx", b"hello\n", "text.onnx: no ONNX model but a text file: "),
        ("empty.onnx", b"", "empty.onnx: it is empty"),
        ("cut.onnx", GOOD[:-100], "cut.onnx: no ONNX model, or one that is cut short: "),
    ],
)
def test_exit_code(tmp_path: Path, process: Process, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = process("-m", "energysim", "estimate", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"energysim: {message}")
    assert done.stderr.count("\n") == 1


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from energysim.importers import onnx_file

    def missing(name: str) -> None:
        raise ImportError(name)

    path = tmp_path / "net.onnx"
    path.write_bytes(GOOD)
    monkeypatch.setattr(onnx_file, "import_module", missing)
    with pytest.raises(UsageError) as caught:
        load_model(path)
    assert str(caught.value) == "reading ONNX needs the package onnx: pip install 'energysim[onnx]'"


def test_what_an_onnx_file_does_not_take(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(GOOD)
    with pytest.raises(ModelError, match="an ONNX file has its classes already"):
        load_model(path, classes=10)
    with pytest.raises(ModelError, match="shapes by name are for ONNX files"):
        load_model("vgg16", input={"input": (1, 3, 32, 32)})
