"""Recipes: what is a file, where it is found again, and the command line that says the same."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from energysim.cli import baseline_command
from energysim.errors import UsageError
from energysim.regression.recipe import Recipe
from energysim.resources import data_folder

from .small import called, created, project

Capture = pytest.CaptureFixture[str]

FULL = Recipe(
    model="nets/net.onnx",
    hardware="hw/soc.yaml",
    sparsity=("dense", "conv*=psconv; fc=dense"),
    input={"image": (1, 3, 64, 64), "mask": (1, 64)},
    batch=2,
    bits="w=8,a=8;conv*:w=4",
    activations="zeros.json",
    format_weights="csr",
    rules="overlap=none",
    fusion="none",
    cost_model="hierarchy",
    allow_unknown=True,
    weights="w.npz",
    mapping="mappings",
    strict=True,
)


@pytest.mark.parametrize(
    ("recipe", "files"),
    [
        (Recipe("vgg16", "edge45"), set()),
        (Recipe("vgg16", "edge45", activations="0.5", weights="random"), set()),
        (Recipe("vgg16", "edge45", activations="relu*=0.5"), set()),
        (Recipe("net.py", "soc.yml"), {"model", "hardware"}),
        (Recipe("dir/net", "dir/soc"), {"model", "hardware"}),
        (Recipe("", "SOC.YAML"), {"hardware"}),
        (FULL, {"model", "hardware", "activations", "weights", "mapping"}),
    ],
)
def test_what_is_a_file(recipe: Recipe, files: set[str]) -> None:
    assert set(recipe.files) == files


def test_files_are_named_from_the_folder_of_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in FULL.files.values():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).touch()
    stored = FULL.stored_in(Path("reports/baselines"))
    assert stored.files == {name: f"../../{path}" for name, path in FULL.files.items()}
    assert replace(stored, **FULL.files) == FULL  # type: ignore[arg-type]
    assert FULL.stored_in(tmp_path / "reports" / "baselines") == stored
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = stored.found_from(Path("../reports/baselines"), "b.json")
    assert found.files == {name: f"../{path}" for name, path in FULL.files.items()}
    (tmp_path / "w.npz").rename(tmp_path / "v.npz")
    with pytest.raises(
        UsageError, match=r"b\.json: its weight file \.\./w\.npz is not there; did you mean 'v\.npz'"
    ):
        stored.found_from(Path("../reports/baselines"), "b.json")


@pytest.mark.parametrize(
    "scheme", ["psconv:patterns=/a.yaml", "c*=psconv:patterns=/a.yaml;", "psconv:patterns=C:\\a"]
)
def test_no_absolute_path_inside_a_scheme(scheme: str) -> None:
    with pytest.raises(UsageError, match="a baseline holds no absolute path"):
        Recipe("vgg16", sparsity=(scheme,)).stored_in(Path())


shapes = st.lists(st.integers(1, 99), min_size=1, max_size=4).map(tuple)
texts = st.text(min_size=1, max_size=9)


@given(
    st.builds(
        Recipe,
        model=texts,
        hardware=texts,
        sparsity=st.lists(texts, max_size=3).map(tuple),
        input=st.none() | shapes | st.dictionaries(texts, shapes, min_size=1, max_size=2),
        batch=st.none() | st.integers(1, 9),
        bits=st.none() | texts,
        strict=st.booleans(),
    )
)
def test_there_and_back(recipe: Recipe) -> None:
    assert Recipe.from_plain(recipe.to_plain()) == recipe


def test_the_command_line_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def remember(options: dict[str, object]) -> Recipe:
        seen["recipe"] = made(options)
        raise UsageError("enough")

    made = baseline_command._recipe
    monkeypatch.setattr(baseline_command, "_recipe", remember)
    words = shlex.split(FULL.command("none such/b.json"))
    assert words[:3] == ["energysim", "baseline", "create"]
    CliRunner().invoke(baseline_command.command, words[2:])
    assert seen["recipe"] == FULL


def test_other_weights_are_another_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The scheme auto looks at weights: they count, not the file they come in."""
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    folder = data_folder("models") / "digits_weights"
    shutil.copy(folder / "dense.npz", "w.npz")
    made = created("-s", "auto", "--weights", "w.npz", model="digits_cnn")
    assert set(made.inputs["weights"]) == {"digest"}
    assert called("check", "base.json") == 0
    shipped = created("-s", "auto", model="digits_cnn", name="shipped.json")
    assert shipped.inputs["weights"] == made.inputs["weights"]
    shutil.copy(folder / "psconv_PSD4_P8.npz", "w.npz")
    capsys.readouterr()
    assert called("check", "base.json") == 1
    told = capsys.readouterr()
    assert f"input changed: weights digest: {made.inputs['weights']['digest']} -> " in told.out
    assert "the inputs changed" in told.err


@pytest.mark.slow
def test_an_onnx_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    pytest.importorskip("onnx", reason="ONNX files need the package onnx")
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    assert called("export", "digits_cnn", "-o", "model.onnx") == 0
    made = created("-s", "psconv", model="model.onnx", name="deep/base.json")
    assert made.recipe is not None
    assert made.recipe.model == "../model.onnx"
    assert "weights" not in made.inputs  # no scheme looks at them
    assert called("check", "deep/base.json") == 0
    assert called("export", "digits_cnn", "--input", "1x12x12", "-o", "model.onnx") == 0
    assert called("check", "deep/base.json") == 1
    assert "network input: 1x8x8 -> 1x12x12" in capsys.readouterr().out
