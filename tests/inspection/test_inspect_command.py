"""``inspect`` on files and networks, and ``estimate --sparsity auto``."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import struct

import numpy as np
import pytest
from click.testing import CliRunner

import energysim as es
from energysim.cli import cli
from energysim.errors import SchemeError, UsageError, WeightsError
from energysim.formats import get_format
from energysim.graph import Conv2d, GraphBuilder, Linear
from energysim.inference import random_weights, save_weights
from energysim.inspector import inspect_weights
from energysim.kernels import MaskKernel, PeriodicKernel, StoredKernel
from energysim.schemes import parse_scheme
from energysim.schemes.auto import Auto
from energysim.schemes.bind import bound
from energysim.validate.stored import quantised_weights
from energysim.zoo import load_model


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def small_net():
    b = GraphBuilder("small", input=(3, 16, 16))
    x = b.relu(b.conv(b.input, 24, 3, padding=1, name="stem"))
    x = b.relu(b.conv(x, 32, 3, padding=1, name="periodic"))
    x = b.relu(b.conv(x, 32, 3, padding=1, name="pruned"))
    x = b.relu(b.conv(x, 32, 3, padding=1, groups=4, name="grouped"))
    x = b.relu(b.conv(x, 32, 3, padding=1, name="blocks"))
    return b.build(b.linear(b.flatten(b.global_pool(x)), 64, name="fc"))


@pytest.fixture(scope="module")
def net():
    graph = small_net()
    rng = np.random.default_rng(8)
    arrays = random_weights(graph, 3)
    for array in arrays.values():
        array[array == 0] = 1  # no zeros by chance
    periodic = PeriodicKernel((32, 24, 3, 3), ((0, 4), (1, 5), tuple(range(9)), (2, 6), (3, 7)))
    arrays["periodic.weight"] *= periodic.mask()
    arrays["pruned.weight"][[2, 5, 6, 20, 31]] = 0
    arrays["grouped.weight"] *= rng.random(arrays["grouped.weight"].shape) < 0.3
    blocks = np.kron(rng.random((8, 16)) < 0.4, np.ones((4, 2), dtype=np.bool_))
    arrays["blocks.weight"] *= blocks[:, :, None, None]
    groups = rng.random((64, 8, 4)).argsort(axis=2) < 2
    arrays["fc.weight"] *= groups.reshape(64, 32)
    return graph, {name: np.ascontiguousarray(a, np.float32) for name, a in arrays.items()}


def test_structures_of_a_network(net):
    graph, arrays = net
    found = inspect_weights(graph, arrays)
    assert [(layer.name, layer.structure) for layer in found.layers] == [
        ("stem", "dense"),
        ("periodic", "periodic"),
        ("pruned", "channels"),
        ("grouped", "unstructured"),
        ("blocks", "blocks"),
        ("fc", "N:M"),
    ]
    assert found.layer("grouped").groups == 4
    assert found.layer("pruned").channels.filters == (2, 5, 6, 20, 31)
    assert str(found.layer("fc").nm) == "2:4 along channels"
    periodic = found.layer("periodic").periodic
    assert periodic.slots == ((0, 4), (1, 5), tuple(range(9)), (2, 6), (3, 7))
    assert (periodic.kss, periodic.dense_slots) == (2, (2,))
    assert found.layer("periodic").scheme is None
    with pytest.raises(UsageError, match="did you mean 'blocks'"):
        found.layer("block")


def test_storage_is_what_the_encoder_writes(net):
    """Every size that is ranked is that of real encoded bytes, and none is smaller than the first."""
    graph, arrays = net
    for layer in inspect_weights(graph, arrays).layers:
        array = quantised_weights(arrays[f"{layer.name}.weight"], 8)
        array = np.where((array == 0) & (arrays[f"{layer.name}.weight"] != 0), 1, array)  # stays nonzero
        array = array.reshape(layer.support.shape)
        sizes = []
        for stored in layer.storage:
            encoded = get_format(stored.format).encode(array, 8, stored.kernel.mask())
            assert encoded.payload_bits == stored.bits
            sizes.append(stored.bits)
        assert sizes == sorted(sizes)
        assert {"dense", "bitmap", "coo", "csr", "index", "pattern", "rlc"} <= {
            s.format for s in layer.storage
        }


def test_forms_agree(net, tmp_path):
    _, arrays = net
    file = tmp_path / "small.npz"
    save_weights(file, arrays)
    table = run("inspect", str(file))
    assert "is periodic (period 5; KSS 2; dense slot 2; slot (f + c + 1) mod 5)" in table
    assert "is 2:4 sparse along channels" in table
    data = json.loads(run("inspect", str(file), "--format", "json"))
    rows = list(csv.DictReader(io.StringIO(run("inspect", str(file), "--format", "csv"))))
    assert [row["layer"] for row in rows] == [x["layer"] for x in data["layers"]]
    assert [int(row["nonzeros"]) for row in rows] == [sum(x["nonzeros_by_filter"]) for x in data["layers"]]
    assert [x["nonzeros"] for x in data["layers"]] == [sum(x["nonzeros_by_position"]) for x in data["layers"]]
    assert data["layers"][1]["periodic"]["slots"][0] == [0, 4]
    assert "| periodic |" in run("inspect", str(file), "--format", "markdown")
    run("inspect", str(file), "-o", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text() == run("inspect", str(file), "--format", "csv")


def test_trained_weights_of_the_zoo_are_recognised():
    """The trained networks that ship: every scheme they were trained with is found in them again."""
    from energysim.resources import data_folder

    folder = data_folder("models") / "digits_weights"
    seen = 0
    for file in sorted(folder.glob("ps*.npz")):
        found = inspect_weights("digits_cnn", file)
        text = file.stem.replace("psconv_", "psconv:")
        for name in ("features.conv2", "features.conv3", "features.conv4"):
            layer = found.layer(name)
            if text.startswith("psconv:"):
                assert layer.scheme == text
                assert layer.periodic.outside == 0
            else:
                assert layer.structure == "fixed count"
                assert layer.window_counts == (int(text.split("_")[2]),) * 2
        assert found.layer("features.conv1").structure == "dense"
        seen += 1
    assert seen == 12


def test_auto_is_the_scheme_that_was_trained():
    """The estimate of what is found equals that of the named scheme, number by number."""
    from energysim.resources import data_folder

    file = data_folder("models") / "digits_weights" / "psconv_PSD4_P8.npz"
    auto = es.estimate("digits_cnn", "auto", weights=file)
    named = es.estimate("digits_cnn", "psconv:PSD4_P8")
    for one, other in zip(auto.run("auto").layers, named.run("psconv:PSD4_P8").layers, strict=True):
        assert one.macs == other.macs
        assert (one.weight_bits, one.side_bits) == (other.weight_bits, other.side_bits)
        assert one.cycles == other.cycles
    assert auto.totals().total_energy_aj == named.totals().total_energy_aj
    (note,) = auto.run("auto").notes
    assert "features.conv2: psconv:PSD4_P8 as periodic 37,960 bit, next pattern 41,005 bit" in note
    assert es.Report.from_json(auto.to_json()) == auto
    assert note in " ".join(str(auto).split())


def test_auto_stores_each_layer_in_its_cheapest_format(net):
    graph, arrays = net
    report = es.estimate(graph, "auto", weights=arrays)
    found = inspect_weights(graph, arrays)
    rows = {row.node: row for row in report.run("auto").layers}
    for layer in found.layers:
        row = rows[layer.name]
        assert row.weight_bits + row.side_bits == layer.storage[0].bits
        assert row.macs * layer.weights == row.dense_macs * layer.nonzeros
    left = dict(report.run("auto").left_dense)
    assert left == {"stem": "no weight is 0"}


def test_widths_decide_the_format(net):
    """What is cheapest depends on the width of a value: it is ranked at that of the estimate."""
    graph, arrays = net
    for width in (4, 16):
        report = es.estimate(graph, "auto", weights=arrays, bits=f"w={width},a=8")
        rows = {row.node: row for row in report.run("auto").layers}
        for layer in inspect_weights(graph, arrays, width=width).layers:
            assert rows[layer.name].weight_bits + rows[layer.name].side_bits == layer.storage[0].bits


def test_a_layer_with_few_zeros_stays_dense():
    b = GraphBuilder("one", input=(8, 8, 8))
    graph = b.build(b.conv(b.input, 8, 3, padding=1, bias=False, name="conv"))
    weights = np.ones((8, 8, 3, 3), np.float32)
    weights[0, 0, 0, 0] = 0
    run = es.estimate(graph, "auto", weights={"conv.weight": weights}).run("auto")
    assert run.left_dense == (("conv", "too few zeros (1 of 576) for anything but dense storage"),)
    assert run.layers[0].side_bits == 0
    assert run.notes == ()


def test_kernels_that_auto_makes(net):
    graph, arrays = net
    rewrite = bound(Auto(), arrays, lambda name: 8).apply(graph)
    kernels = {}
    for node in rewrite.graph.nodes:
        if isinstance(node.op, Conv2d | Linear) and node.op.kernel is not None:
            kernels[node.name] = node.op.kernel
    assert all(isinstance(kernel, StoredKernel) for kernel in kernels.values())
    assert isinstance(kernels["periodic"].support, PeriodicKernel)
    assert kernels["periodic"].storage == "periodic"
    assert isinstance(kernels["fc"].support, MaskKernel)
    for name, kernel in kernels.items():
        assert np.array_equal(kernel.mask(), (arrays[f"{name}.weight"] != 0).reshape(kernel.shape))


def test_zeros_inside_a_period_are_stored():
    """A kept weight that happens to be 0: the table stays, and it is stored too."""
    b = GraphBuilder("one", input=(64, 8, 8))
    graph = b.build(b.conv(b.input, 64, 3, padding=1, bias=False, name="conv"))
    kernel = parse_scheme("psconv:PSD2_P8").kernel("conv", (64, 64, 3, 3))
    weights = np.random.default_rng(0).normal(size=kernel.shape).astype(np.float32) * kernel.mask()
    at = np.argwhere(kernel.mask())[[5, 700]]
    weights[tuple(at.T)] = 0
    layer = inspect_weights(graph, {"conv.weight": weights}).layer("conv")
    assert not layer.periodic.exact
    assert (layer.periodic.outside, layer.periodic.zeros) == (0, 2)
    assert layer.kernel == kernel
    text = inspect_weights(graph, {"conv.weight": weights}).render()
    assert "fits psconv:PSD2_P8" in text
    assert "2 weights inside it happen to be 0" in text
    row = es.estimate(graph, "auto", weights={"conv.weight": weights}).run("auto").layers[0]
    assert (row.weight_bits, row.side_bits) == (kernel.nonzeros * 8, 8 * 9)
    weights[0, 0] = 1  # outside the table: it can no longer hold all
    layer = inspect_weights(graph, {"conv.weight": weights}).layer("conv")
    assert layer.kernel is None
    assert layer.periodic.outside == 9 - len(kernel.slots[1])
    assert "would be psconv:PSD2_P8" in inspect_weights(graph, {"conv.weight": weights}).render()


def test_rules_with_auto(net):
    graph, arrays = net
    report = es.estimate(graph, "periodic=auto; *=dense", weights=arrays)
    assert [row.node for row in report.run().layers if row.scheme == "auto"] == ["periodic"]
    assert report.schemes[1] == "periodic=auto; *=dense"


def test_storage_that_is_not_used_says_so(net, tmp_path):
    graph, arrays = net
    report = es.estimate(graph, "auto", weights=arrays, format_weights="csr")
    assert "not used: csr was asked for" in report.run("auto").notes[0]
    csr = {layer.name: layer for layer in inspect_weights(graph, arrays).layers}["fc"]
    (bits,) = [s.bits for s in csr.storage if s.format == "csr"]
    row = next(row for row in report.run("auto").layers if row.node == "fc")
    assert row.weight_bits + row.side_bits == bits


def test_wrong_use(net, tmp_path):
    graph, arrays = net
    with pytest.raises(SchemeError, match="auto looks at weights, and there are none"):
        parse_scheme("auto").apply(graph)
    with pytest.raises(UsageError, match="comes without weights: give --weights"):
        es.estimate("vgg16", "auto")
    with pytest.raises(UsageError, match="no scheme looks at them"):
        es.estimate(graph, "psconv", weights=arrays)
    with pytest.raises(SchemeError, match="no parameter 'kss'"):
        parse_scheme("auto:kss=4")
    broken = {**arrays, "blocks.weight": arrays["blocks.weight"] * np.float32(0)}
    with pytest.raises(SchemeError, match=r"layer 'blocks': all of its weights are 0.*blocks=dense; \*=auto"):
        es.estimate(graph, "auto", weights=broken)
    es.estimate(graph, "blocks=dense; *=auto", weights=broken)
    nan = {**arrays, "fc.weight": np.full((64, 32), np.nan, np.float32)}
    with pytest.raises(WeightsError, match=r"layer 'fc': its weight at \(0, 0\) is nan"):
        es.estimate(graph, "auto", weights=nan)
    with pytest.raises(WeightsError, match=r"layer 'fc': its weight at \(0, 0\) is nan"):
        inspect_weights(graph, nan)
    short = {name: a for name, a in arrays.items() if name != "fc.weight"}
    for call in (lambda: es.estimate(graph, "auto", weights=short), lambda: inspect_weights(graph, short)):
        with pytest.raises(WeightsError, match=r"layer 'fc': there is no array 'fc\.weight'"):
            call()
    turned = {**arrays, "fc.weight": arrays["fc.weight"].T}
    for call in (lambda: es.estimate(graph, "auto", weights=turned), lambda: inspect_weights(graph, turned)):
        with pytest.raises(WeightsError, match="layer 'fc': weights of shape"):
            call()
    with pytest.raises(UsageError, match="1 to 64 bits"):
        inspect_weights(graph, arrays, width=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg16"], "'vgg16' comes without weights: give --weights FILE"),
        (["nothing.npz"], "cannot be read"),
        (["broken.npz"], "damaged or cut short"),
        (["text.npz"], "this is no weight file"),
        (["biases.npz"], "no array has 2 to 5 axes"),
        (["good.npz", "--weights", "good.npz"], "holds weights and no network"),
        (["good.npz", "--set", "seed9"], "there is no set 'seed9'"),
        (["digits_cnn", "--set", "seed9"], "there is no set 'seed9' of weights"),
        (["good.npz", "--bits", "65"], "1 to 64 bits"),
        (["digits_cnn", "--weights", "good.npz"], "is missing"),
        (["nan.npz"], "layer 'a': its weight at (0, 1) is nan"),
    ],
)
def test_messages(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("good.npz", **{"a.weight": np.ones((4, 4), np.float32)})
    np.savez("biases.npz", **{"a.bias": np.ones(4, np.float32)})
    np.savez("nan.npz", **{"a.weight": np.array([[1, np.nan]], np.float32)})
    whole = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "broken.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("these are no weights")
    result = CliRunner().invoke(cli, ["inspect", *arguments], standalone_mode=False)
    assert result.exception is not None
    assert message in str(result.exception)
    assert result.exception.exit_code == 2
    assert result.stdout == ""


def safetensors(path, arrays):
    header, data = {}, b""
    for name, (kind, array) in arrays.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_types_of_a_safetensors_file(tmp_path):
    """A bfloat16 is the upper half of a float32; integers are looked at as they are."""
    rng = np.random.default_rng(1)
    floats = rng.normal(size=(16, 16)).astype(np.float32)
    floats[rng.random((16, 16)) < 0.5] = 0
    halves = (floats.view(np.uint32) >> 16).astype(np.uint16)
    quantised = rng.integers(-8, 8, (32, 32)).astype(np.int8)
    file = tmp_path / "mixed.safetensors"
    safetensors(
        file, {"b.weight": ("BF16", halves), "i.weight": ("I8", quantised), "f.weight": ("F32", floats)}
    )
    found = inspect_weights(file)
    assert [layer.name for layer in found.layers] == ["b", "i", "f"]
    assert found.layer("b").nonzeros == found.layer("f").nonzeros == int(np.count_nonzero(floats))
    assert (found.layer("i").values.kind, found.layer("i").values.bits) == ("grid", 4)
    safetensors(file, {"x.weight": ("F8_E4M3", np.zeros((4, 4), np.uint8))})
    with pytest.raises(WeightsError, match=r"'x\.weight' holds float8"):
        inspect_weights(file)


def test_sets_of_a_file(tmp_path):
    file = tmp_path / "sets.npz"
    one, other = np.ones((4, 4), np.float32), np.eye(4, dtype=np.float32)
    np.savez(file, **{"first/a.weight": one, "second/a.weight": other})
    assert inspect_weights(file).layers[0].nonzeros == 16
    assert "first of 2 sets" in inspect_weights(file).weights
    assert inspect_weights(file, group="second").layers[0].nonzeros == 4


def test_estimate_from_the_command_line(tmp_path):
    from energysim.resources import data_folder

    file = data_folder("models") / "digits_weights" / "psc_kss_2_seed_0.npz"
    text = run("estimate", "digits_cnn", "-s", "auto", "--weights", str(file))
    text = " ".join(text.split())
    assert re.search(r"features.conv2: nonzeros as \w+ [\d,]+ bit, next \w+ [\d,]+ bit", text)
    data = json.loads(run("estimate", "digits_cnn", "-s", "auto", "--weights", str(file), "--format", "json"))
    assert data["runs"][1]["notes"]
    assert "notes" not in data["runs"][0]


def test_a_linear_layer_runs_as_it_is_costed(net):
    """The compact executor multiplies only with weights that exist, also in linear layers."""
    from energysim.inference.base import Images
    from energysim.inference.compact import make_plan

    graph, arrays = net
    rewrite = bound(Auto(), arrays, lambda name: 8).apply(graph)
    images: Images = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    sparse, dense = make_plan(rewrite.graph, arrays), make_plan(graph, arrays)
    one, other = sparse.run(images), dense.run(images)
    first = next(iter(one.values())) if isinstance(one, dict) else one
    second = next(iter(other.values())) if isinstance(other, dict) else other
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


def test_time_of_a_large_matrix():
    """Nothing in the search grows faster than the tensor: a matrix is no slower than its windows."""
    weights = np.random.default_rng(0).normal(size=(256, 4096)).astype(np.float32)
    weights[np.random.default_rng(1).random(weights.shape) < 0.5] = 0
    layer = inspect_weights_of_array(weights)
    assert layer.structure == "unstructured"
    assert math.isclose(layer.nonzeros / layer.weights, 0.5, abs_tol=0.01)


def inspect_weights_of_array(weights):
    from energysim.inspection import inspect_layer

    return inspect_layer("fc", weights)


def test_zoo_weights_by_default():
    assert load_model("digits_cnn").name == "digits_cnn"
    found = inspect_weights("digits_cnn")
    assert "dense.npz" in found.weights
    assert {layer.structure for layer in found.layers} == {"dense"}
