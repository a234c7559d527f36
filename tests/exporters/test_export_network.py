"""``energysim export``: what the files hold, for the whole zoo and every scheme; messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support import networks

from energysim.cli import cli
from energysim.errors import ExportError, UsageError
from energysim.exporters import export, to_onnx
from energysim.graph import Conv2d, Linear
from energysim.inference import expected_weights, load_weights, random_weights, save_weights
from energysim.resources import data_folder
from energysim.schemes import SCHEMES, parse_scheme
from energysim.schemes.catalog import kind_of
from energysim.zoo import load_model, model_names

NETWORKS = ("digits_cnn", "resnet18-cifar10", "shufflenet_v2_x1_5-cifar10")
#: Dense, every scheme's members, and rules.
MEMBERS = [
    "dense",
    *(member for info in SCHEMES.list() for member in kind_of(info.name).family),
    "*conv1*=psconv:PS1_P9; *=psc:kss=2",
]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["export", *arguments])


def arrays(path: Path) -> dict[str, Any]:
    import onnx

    return {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}


def metadata(path: Path) -> dict[str, str]:
    import onnx

    return {p.key: p.value for p in onnx.load(path).metadata_props}


#: Schemes with an operator that ONNX has no form for -> the operator the message names.
NOT_IN_ONNX = {"bfp": "BlockFloat", "imex": "CircularSolve"}


@pytest.mark.oracle
@pytest.mark.parametrize("scheme", MEMBERS)
@pytest.mark.parametrize("model", NETWORKS)
def test_every_scheme_gives_a_valid_file_that_names_it(model: str, scheme: str, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "net.onnx"
    rewrite = parse_scheme(scheme).apply(load_model(model))
    if scheme.partition(":")[0] in NOT_IN_ONNX and rewrite.changed:
        with pytest.raises(ExportError, match=NOT_IN_ONNX[scheme.partition(":")[0]]):
            export(model, scheme, path, weights="random")
        assert not path.exists()
        return
    done = export(model, scheme, path, weights="random")
    onnx.checker.check_model(path, full_check=True)
    assert parse_scheme(metadata(path)["energysim.scheme"]) == parse_scheme(scheme)
    assert metadata(path)["energysim.weights"] == done.weights
    found = arrays(path)
    graph = parse_scheme(scheme).apply(load_model(model)).graph
    for node in graph:
        if isinstance(node.op, Conv2d | Linear) and not node.op.layout(graph.input_shapes(node)).is_dense:
            array = found[f"{node.name}.weight"]
            mask = node.op.layout(graph.input_shapes(node)).mask().reshape(array.shape)
            assert not array[~mask].any(), node.name
            assert np.count_nonzero(array[mask]) > 0.99 * mask.sum()


@pytest.mark.oracle
@pytest.mark.parametrize("model", networks(model_names(), but=["vit_b_16"]))
def test_every_network_gives_a_valid_file(model: str) -> None:
    """At its own size, without weights: inference of shapes does not look at them."""
    import onnx

    graph = parse_scheme("psconv").apply(load_model(model)).graph
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_weights(graph).items()}
    model_proto = to_onnx(graph, weights)
    for initializer in model_proto.graph.initializer:
        if len(initializer.raw_data) > 1 << 20:  # a gigabyte would be copied to and fro
            initializer.ClearField("raw_data")
            initializer.data_location = onnx.TensorProto.EXTERNAL
            initializer.external_data.add(key="location", value="weights")
    inferred = onnx.shape_inference.infer_shapes(model_proto, strict_mode=True)
    for info in inferred.graph.output:
        lengths = [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
        assert lengths == ["N", *graph.tensor(info.name).shape[1:]]


@pytest.mark.oracle
def test_equal_arguments_give_equal_bytes(tmp_path: Path, process: Any) -> None:
    for name in ("a", "b"):
        found = process(
            *("-m", "energysim", "export", "resnet18-cifar10", "-s", "psc:kss=2", "--seed", "3"),
            *("-o", str(tmp_path / f"{name}.onnx")),
        )
        assert found.returncode == 0, found.stderr
    one, other = ((tmp_path / f"{name}.onnx").read_bytes() for name in ("a", "b"))
    assert one == other
    export("resnet18-cifar10", "psc:kss=2", tmp_path / "c.onnx", seed=4)
    assert (tmp_path / "c.onnx").read_bytes() != one


@pytest.mark.oracle
def test_weights_that_ship_are_written_and_told(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    told = run("digits_cnn", "-s", "psconv:PSD4_P8", "-o", str(path))
    assert told.exit_code == 0
    assert told.stdout == ""
    assert told.stderr == (
        f"wrote {path}: digits_cnn, psconv:PSD4_P8: 3 sparse layers with 22496 of 43776 weights; "
        "file 'psconv_PSD4_P8.npz', seed0\n"
    )
    with np.load(data_folder("models") / "digits_weights" / "psconv_PSD4_P8.npz") as box:
        for name, array in arrays(path).items():
            if f"seed0/{name}" in box:
                assert np.array_equal(array, box[f"seed0/{name}"]), name


@pytest.mark.oracle
def test_given_weights_are_masked_and_the_loss_is_told(tmp_path: Path) -> None:
    graph = load_model("digits_cnn")
    weights = random_weights(graph, 5)
    save_weights(tmp_path / "w.npz", weights)
    path = tmp_path / "net.onnx"
    told = run("digits_cnn", "-s", "psconv:PS1_P9", "--weights", str(tmp_path / "w.npz"), "-o", str(path))
    assert told.exit_code == 0
    sparse = parse_scheme("psconv:PS1_P9").apply(graph).graph
    outside = 0
    for node in sparse:
        if isinstance(node.op, Conv2d) and node.op.kernel is not None:
            mask, array = node.op.kernel.mask(), weights[f"{node.name}.weight"]
            outside += int((array[~mask] != 0).sum())
            assert np.array_equal(arrays(path)[f"{node.name}.weight"], array * mask)
    assert told.stderr.endswith(f"; file 'w.npz' (of which {outside} that were not zero had no place)\n")
    assert outside == 43776 - 4864
    assert load_weights(tmp_path / "w.npz", graph).keys() == weights.keys()


@pytest.mark.oracle
def test_input_classes_and_batch(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "net.onnx"
    done = run("resnet18", "--input", "3x64x48", "--classes", "7", "--batch", "2", "-o", str(path))
    assert done.exit_code == 0, done.output
    graph = onnx.load(path).graph
    shapes = [
        [d.dim_value for d in info.type.tensor_type.shape.dim] for info in (*graph.input, *graph.output)
    ]
    assert shapes == [[2, 3, 64, 48], [2, 7]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg61", "-o", "net.onnx"), "unknown model 'vgg61'; did you mean 'vgg16'?"),
        (
            ("digits_cnn", "-s", "psconf", "-o", "net.onnx"),
            "unknown scheme 'psconf'; did you mean 'psconv'?",
        ),
        (
            ("digits_cnn", "-s", "auto", "-o", "net.onnx"),
            "auto finds the zeros that weights have",
        ),
        (("digits_cnn", "-o", "net.pb"), "a network is written as .onnx, not as 'net.pb'"),
        (
            ("digits_cnn", "-s", "dense,psconv", "-o", "net.onnx"),
            "one scheme is wanted here, 'dense,psconv' names 2",
        ),
        (("digits_cnn", "--input", "8", "-o", "net.onnx"), "'input' gives 1x8"),
        (("digits_cnn", "--seed", "-1", "-s", "psconv", "--weights", "random", "-o", "n.onnx"), "a seed is"),
        (("digits_cnn", "--weights", "none.npz", "-o", "net.onnx"), "weights 'none.npz' cannot be read"),
        (("digits_cnn",), "missing option '--output' / '-o' (energysim export --help)"),
    ],
)
def test_messages(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    process: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = process("-m", "energysim", "export", *arguments, cwd=tmp_path)
    assert found.returncode == 2
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_is_looked_at_first() -> None:
    with pytest.raises(UsageError, match=r"^a network is written as \.onnx, not as 'net\.h5'$"):
        export("no such network", "no such scheme", "net.h5")
