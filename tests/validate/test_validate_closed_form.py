"""Validation of networks whose numbers can be worked out on paper."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from energysim.data import Data
from energysim.errors import EnergysimError, SchemeError, UsageError, WeightsError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import random_weights, save_weights
from energysim.validate import Validation, validate


def small(kernel: int = 3, stride: int = 1, channels: int = 6) -> LayerGraph:
    """Two convolutions, the second of which schemes change, and a classifier."""
    b = GraphBuilder("small", input=(3, 8, 6))
    x = b.relu(b.conv(b.input, channels, 3, padding=1, name="first"), name="relu1")
    x = b.conv(x, 5, kernel, stride=stride, padding=kernel // 2, name="second")
    x = b.relu(b.batch_norm(x, name="bn"), name="relu2")
    return b.build(b.linear(b.flatten(b.global_pool(x, name="avg"), name="flat"), 7, name="fc"))


def data(labels: list[int] | None = None, count: int = 3) -> Data:
    images = np.random.Generator(np.random.Philox(1)).standard_normal((count, 3, 8, 6)).astype(np.float32)
    return Data(images, None if labels is None else np.array(labels), "made up", "as they are")


def test_counts_and_bits_by_hand() -> None:
    found = validate(small(), "psconv:PS2_P6", inputs=2, bits="w=8,a=8,acc=32")
    assert found.passed
    dense, sparse = found.schemes
    assert [s.scheme for s in found.schemes] == ["dense", "psconv:PS2_P6"]
    assert [row.node for row in dense.layers] == ["first", "second", "fc"]
    # 48 output positions; padded taps count; the first layer has 3 x 6 windows of 9.
    assert [row.executed_macs for row in dense.layers] == [48 * 162, 48 * 270, 35]
    assert [row.encoded_bits for row in dense.layers] == [162 * 8, 270 * 8, 35 * 8]
    second = sparse.layers[1]
    assert second.executed_macs == second.estimated_macs == 48 * 5 * 6 * 2
    assert second.encoded_bits == second.estimated_bits == 60 * 8 + 6 * 9
    assert (second.format, second.scheme, second.overhead_macs) == ("periodic", "psconv:PS2_P6", 0)
    assert sparse.macs == 48 * 162 + 48 * 60 + 35
    assert all(row.relative_error is not None and row.relative_error < 2e-5 for row in sparse.layers)
    assert found.setup.weights == "random weights of seed 0, He-scaled, batch norm calibrated"


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_windows_and_strides(kernel: int, stride: int) -> None:
    assert validate(small(kernel, stride), "psconv:windows=all,psc:kss=2,windows=all", inputs=2).passed


def test_integers_are_the_same_bit_for_bit() -> None:
    for mode in ("int8", "int16"):
        found = validate(small(), "psconv", mode=mode, inputs=3)
        assert found.passed
        assert found.setup.tolerance == 0
        for row in found.schemes[1].layers:
            assert (row.max_error, row.relative_error, row.differing) == (0, 0, 0)


def test_another_hardware_stores_and_counts_otherwise() -> None:
    found = validate(small(), "psc:kss=2", "eyeriss", inputs=1)
    assert found.passed
    assert found.setup.hardware == "eyeriss"
    found = validate(small(), "psc:kss=2", format_weights="csr", bits="w=5,a=8,acc=32", inputs=1)
    assert found.passed
    assert found.schemes[1].layers[1].format == "csr"
    assert validate(small(), "psc:kss=2", format_weights="rlc", inputs=1).passed


def test_answers_and_their_spread(tmp_path: Path) -> None:
    graph = small()
    files = []
    for seed in (0, 1):
        files.append(tmp_path / f"{seed}.npz")
        save_weights(files[-1], random_weights(graph, seed))
    first = validate(graph, "dense", weights=files, data=data(), classes=None)
    images = data()
    best = []
    for file in files:
        from energysim.inference import load_weights, plan

        logits = plan(graph, load_weights(file, graph)).run(images.images)
        assert not isinstance(logits, dict)
        best.append(np.argmax(logits, axis=1))
    labels = best[0].copy()
    labels[0] = (labels[0] + 1) % 7
    found = validate(graph, "psconv", weights=files, data=data(labels.tolist()))
    dense = found.schemes[0]
    right = [int((answer == labels).sum()) for answer in best]
    assert [t.top1_correct for t in dense.trials] == right
    assert right[0] == 2
    assert dense.top1(3) == (Fraction(sum(right), 6), Fraction(min(right), 3), Fraction(max(right), 3))
    assert [t.top1_same for t in dense.trials] == [3, 3]
    assert [t.weights for t in dense.trials] == ["file '0.npz'", "file '1.npz'"]
    assert first.schemes[0].top1(3) is None
    assert "Sets of weights" in found.render()
    assert "66.67 %" in found.render()


def test_a_folder_of_weights_by_scheme(tmp_path: Path) -> None:
    graph = small()
    save_weights(tmp_path / "dense.npz", random_weights(graph, 0))
    both = {f"seed{k}/{n}": a for k in (0, 1) for n, a in random_weights(graph, k).items()}
    save_weights(tmp_path / "psconv_PSD4_P8.npz", both)
    found = validate(graph, "psconv", weights=[tmp_path], inputs=1)
    assert [t.weights for t in found.schemes[1].trials] == [
        "file 'psconv_PSD4_P8.npz', seed0",
        "file 'psconv_PSD4_P8.npz', seed1",
    ]
    with pytest.raises(EnergysimError, match=r"of psc:kss=2,seed=0: psc_kss_2_seed_0\.npz"):
        validate(graph, "psc:kss=2", weights=[tmp_path], inputs=1)
    del both["seed1/fc.bias"]
    save_weights(tmp_path / "psconv_PSD4_P8.npz", both)
    with pytest.raises(EnergysimError, match=r"seed1 for 'small': 'fc\.bias' .* is missing"):
        validate(graph, "psconv", weights=[tmp_path], inputs=1)


def test_a_constant_network_is_meaningless(tmp_path: Path) -> None:
    graph = small()
    weights = random_weights(graph)
    weights["second.weight"] = np.zeros_like(weights["second.weight"])
    weights["second.bias"] = np.zeros_like(weights["second.bias"])
    save_weights(tmp_path / "w.npz", weights)
    found = validate(graph, "dense", weights=[tmp_path / "w.npz"], data=data())
    assert not found.passed
    assert "dense: layer 'second': meaningless: the reference's activations are all 0" in found.problems


def test_nearly_all_zeros_is_meaningless(tmp_path: Path) -> None:
    graph = small()
    weights = random_weights(graph)
    weights["bn.bias"] = np.full_like(weights["bn.bias"], -30)
    save_weights(tmp_path / "w.npz", weights)
    found = validate(graph, "dense", weights=[tmp_path / "w.npz"], data=data())
    assert any("'relu2': meaningless" in problem for problem in found.problems)


def results() -> Validation:
    return validate(small(), "psconv,psc:kss=2", inputs=2)


def test_machine_formats_hold_all_counts_and_do_not_change() -> None:
    first, second = (json.loads(results().render("json")) for _ in range(2))
    for run in (first, second):
        assert run["passed"] is True
        assert run["schema_version"] == 1
        for scheme in run["schemes"]:
            for table in (scheme["layers"], scheme["trials"]):
                errors = [
                    i for i, name in enumerate(table["columns"]) if "error" in name or name == "differing"
                ]
                for row in table["rows"]:
                    for i in errors:
                        row[i] = 0
    assert first == second
    csv = results().render("csv").splitlines()
    assert csv[0].startswith("run,node,kind,scheme,max_error,relative_error,differing,executed_macs,")
    assert len(csv) == 1 + 3 * 3


def test_tables_say_what_was_done() -> None:
    found = results()
    text, markdown = found.render(), found.render("markdown")
    assert text.startswith("small 3x8x6: compact against dense, float32, 2 images: everything agrees\n")
    assert str(found) == text
    for words in ("psconv:PSD4_P8, layer by layer", "He-scaled", "2/2", "within 2e-05"):
        assert words in text
        assert words.replace("*", "\\*") in markdown
    with pytest.raises(UsageError, match="unknown format 'jsn'; did you mean 'json'"):
        found.render("jsn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "int8", "tolerance": 1e-3}, "int8 is checked bit for bit"),
        ({"tolerance": -1.0}, "from 0 to below 1, not -1"),
        ({"tolerance": float("nan")}, "from 0 to below 1, not nan"),
        ({"winograd": True}, "transforms are for the fast path"),
        ({"path": "quick"}, "the path to check is compact or fast"),
        ({"mode": "int4"}, "unknown mode 'int4'"),
        ({"mode": "int8", "path": "fast"}, "the fast path runs float32 only"),
        ({"bits": "w=40,a=8,acc=64"}, "no MAC for 40-bit weights"),
        ({"inputs": 0}, "at least 1, not 0"),
        ({"weights": ["none.npz"]}, "none.npz"),
        ({"data": "digits"}, "takes 3x8x6"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(EnergysimError, match=message):
        validate(small(), "psconv", **options)  # type: ignore[arg-type]


def test_progress_ends_where_it_should() -> None:
    told: list[tuple[str, int, int]] = []
    validate(small(), "dense", inputs=2, step=lambda *what: told.append(what))
    assert told[0][0] == "dense first"
    assert all(0 <= done <= total for _, done, total in told)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_whole_family_runs_on_weights_that_come_with_a_model() -> None:
    """No member of ``all`` needs weights of its own; asked for by name it still does."""
    told: list[str] = []
    found = validate("digits_cnn", "all", inputs=1, mode="int16", tell=told.append)
    assert found.passed
    labels = {check.scheme: check.trials[0].weights for check in found.schemes}
    assert labels["psconv:PSD4_P8"].startswith("file 'psconv_PSD4_P8.npz'")
    assert labels["nm:2:4"].startswith("random weights")
    assert "shift" not in labels
    assert any(line.startswith("skipped: shift: ") and line.endswith("not in int16") for line in told)
    with pytest.raises(WeightsError, match="holds no weights of nm:2:4"):
        validate("digits_cnn", "nm:2:4", inputs=1)
    with pytest.raises(SchemeError, match=r"layer .features\.conv2. is rewritten: it is checked"):
        validate("digits_cnn", "shift", inputs=1, mode="int16", weights=["random"])


def test_members_of_all_without_weights_in_a_folder_are_skipped(tmp_path: Path) -> None:
    save_weights(tmp_path / "dense.npz", random_weights(small(), 0))
    told: list[str] = []
    found = validate(small(), "all", weights=[tmp_path], inputs=1, tell=told.append)
    assert [check.scheme for check in found.schemes] == ["dense"]
    assert any("skipped: unstructured:density=0.5: folder" in line for line in told)


def test_few_winners_of_many_values_are_meant() -> None:
    b = GraphBuilder("winners", input=(3, 4, 4))
    x = b.relu(b.conv(b.input, 400, 3, padding=1, name="wide"), name="relu")
    graph = b.build(b.linear(b.flatten(x), 5, name="last"))
    found = validate(graph, "kwta:k=2", inputs=2)
    assert found.passed, found.problems
    assert any(row.kind == "KWinners" for row in found.schemes[1].layers)
