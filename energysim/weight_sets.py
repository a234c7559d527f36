"""Weights for a run: files, a folder of files by scheme, those that ship with a model, or random ones."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from energysim.data import Data
from energysim.errors import UsageError, WeightsError, near_miss
from energysim.graph import LayerGraph
from energysim.inference import (
    calibrate,
    check_weights,
    load_weights,
    random_images,
    random_weights,
    weight_groups,
)
from energysim.inference.base import Images
from energysim.inference.weights import FloatArray, expected_weights, masked
from energysim.resources import data_folder
from energysim.schemes import Rewrite, derived_weights, settled_weights, tied_weights

__all__ = [
    "RANDOM",
    "WeightSet",
    "file_stem",
    "loaded",
    "rewritten_weights",
    "shipped_folder",
    "uncalibrated",
    "weight_sets",
]

#: What asks for random weights where others ship with the model.
RANDOM = "random"
_SUFFIXES = (".npz", ".safetensors")
#: Images that batch norms of random weights are calibrated on.
_CALIBRATION = 8
#: Files that a message names.
_LISTED = 8


@dataclass(frozen=True)
class WeightSet:
    """One set of weights of a network.

    Attributes
    ----------
    label : str
        In words, without any folder.
    file : Path or None
        None for random weights.
    group : str
        Which of several sets in the file, the part of its names before the slash.
    seed : int
        Of random weights.
    """

    label: str
    file: Path | None = None
    group: str = ""
    seed: int = 0

    @property
    def random(self) -> bool:
        """Whether nothing was trained."""
        return self.file is None

    def read(self, graph: LayerGraph) -> dict[str, FloatArray]:
        """Return the weights of a graph without running it: batch norms of random ones stay unset.

        Such batch norms have mean 0 and variance 1, and the arrays are the same on every machine.

        Raises
        ------
        WeightsError
            If the file cannot be read, or is not of this network.
        """
        if self.file is None:
            return random_weights(graph, self.seed)
        if self.file.suffix == ".onnx":
            from energysim.importers import import_weights

            return check_weights(graph, dict(import_weights(self.file, graph)), str(self.file))
        return load_weights(self.file, graph, self.group)

    def calibration(self, graph: LayerGraph, data: Data) -> Images:
        """Return a few images of the data; other random ones if these are random, or too few."""
        if data.random or data.count < _CALIBRATION // 2:
            return random_images(graph, _CALIBRATION, self.seed ^ 1 << 63)
        return next(data.batches(_CALIBRATION)).images


def rewritten_weights(graph: LayerGraph, rewrite: Rewrite, seed: int) -> dict[str, FloatArray]:
    """Return random weights of a rewritten network; those of E2 follow from random dense ones."""
    drawn = tied_weights(rewrite, random_weights(rewrite.graph, seed))
    if len(rewrite.steps) > 1:  # parts of a layer that has no dense weights may obey rules all the same
        settled = settled_weights(rewrite, drawn)
        drawn = {name: array.astype(np.float32) for name, array in settled.items()}
    wanted = {name for name, origin in rewrite.trace.items() if origin.exactness == "E2"}
    if not wanted:
        return drawn
    made = derived_weights(rewrite, random_weights(graph, seed), strict=False)
    return masked(
        rewrite.graph,
        {
            name: made[name].astype(np.float32)
            if name.rpartition(".")[0] in wanted and name in made
            else drawn[name]
            for name in expected_weights(rewrite.graph)
        },
    )


def loaded(found: WeightSet, graph: LayerGraph, rewrite: Rewrite, data: Data) -> dict[str, FloatArray]:
    """Return the weights of a rewritten network from one set, batch norms of random ones calibrated.

    A file may hold the weights of the rewritten network, or those of the original, from which they are
    then derived. Random weights are drawn for the rewritten network, but where a layer's new weights
    obey a rule (E2): there they are derived from random dense ones.

    Raises
    ------
    WeightsError
        If the file holds neither, or a layer has no rule that derives its weights.
    """
    made = uncalibrated(found, graph, rewrite)
    if not found.random:
        return made
    return calibrate(rewrite.graph, made, found.calibration(rewrite.graph, data))


def uncalibrated(found: WeightSet, graph: LayerGraph, rewrite: Rewrite) -> dict[str, FloatArray]:
    """Return the weights of a rewritten network as :func:`loaded` does, without running anything.

    Batch norms of random weights have mean 0 and variance 1; the arrays are the same on every machine.
    """
    if not any(rewrite.steps):
        return found.read(rewrite.graph)
    if found.file is None:
        return rewritten_weights(graph, rewrite, found.seed)
    try:
        own = found.read(rewrite.graph)
    except WeightsError:
        made = derived_weights(rewrite, found.read(graph))
    else:
        made = settled_weights(rewrite, _need_tied(rewrite, own, found.label))
    made = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in made.items()}
    return check_weights(rewrite.graph, made, f"weights derived from {found.label}")


def _need_tied(rewrite: Rewrite, weights: dict[str, FloatArray], label: str) -> dict[str, FloatArray]:
    """Return the weights; raise WeightsError if some that follow from others do not."""
    for name, array in tied_weights(rewrite, weights).items():
        if not np.allclose(weights[name], array, rtol=1e-5, atol=1e-6 * float(np.abs(array).max(initial=0))):
            scheme = rewrite.trace[name.rpartition(".")[0]].scheme
            raise WeightsError(f"{label}: {name!r} does not obey {scheme}: it follows from other weights")
    return weights


def weight_sets(
    given: Sequence[str | Path], model: str | None, scheme: str, seed: int = 0
) -> tuple[WeightSet, ...]:
    """Return the sets of weights that a scheme is run with.

    Parameters
    ----------
    given : sequence of str or Path
        Files are used for every scheme. Of a folder those are used that bear the scheme's name, as
        ``psconv_PSD4_P8.npz`` or ``psconv_PSD4_P8.first.npz``: see :func:`file_stem`. A file may hold
        several sets, its names then being ``seed0/conv1.weight``. ``random`` asks for random weights.
    model : str or None
        Name in the zoo: if nothing is given, weights that ship with it are used; of an ONNX file its
        own.
    scheme : str
    seed : int
        Of random weights, where there are no others.

    Raises
    ------
    UsageError
        If random weights are asked for beside others.
    WeightsError
        If there is no such file or folder, or a folder holds none for this scheme.
    """
    if not given and model is not None and model.endswith(".onnx"):
        return (WeightSet(f"file {Path(model).name!r}", Path(model)),)
    if not given and model is not None:
        shipped = shipped_folder(model)
        given = [] if shipped is None else [shipped]
    if not given or [str(item) for item in given] == [RANDOM]:
        return (WeightSet(f"random weights of seed {seed}, He-scaled, batch norm calibrated", seed=seed),)
    if RANDOM in map(str, given):
        raise UsageError("random weights stand alone: give random, or files and folders")
    found: list[WeightSet] = []
    for path in (path for item in given for path in _files(item, scheme)):
        groups = weight_groups(path)
        found += [WeightSet(f"file {path.name!r}, {name}", path, name) for name in groups] or [
            WeightSet(f"file {path.name!r}", path)
        ]
    return tuple(found)


def shipped_folder(model: str) -> Path | None:
    """Return the folder of trained weights that ships with a model: its ``accuracy.json`` names it."""
    for record in sorted(data_folder("models").glob("*_weights/accuracy.json")):
        try:
            if json.loads(record.read_text("utf-8")).get("model") == model:
                return record.parent
        except (OSError, ValueError, AttributeError):
            continue
    return None


def file_stem(scheme: str) -> str:
    """Return a scheme's name as a file's: ``psconv_PSD4_P8`` for ``psconv:PSD4_P8``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", scheme).strip("_")


def _files(given: str | Path, scheme: str) -> list[Path]:
    """Return the files that a path stands for."""
    name, path = str(given), Path(given)
    if not name or not path.exists():
        hint = near_miss(name, [RANDOM]) if name else f"; write a file, a folder or {RANDOM}"
        raise WeightsError(f"weights {name!r} cannot be read: no such file or folder{hint}")
    return _in_folder(path, scheme) if path.is_dir() else [path]


def _in_folder(folder: Path, scheme: str) -> list[Path]:
    stem = file_stem(scheme)
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    found = [path for path in files if path.name.split(".", 1)[0] == stem]
    if not found:
        names = [path.name for path in files]
        there = ", ".join(names[:_LISTED]) or "nothing"
        there += f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        raise WeightsError(
            f"folder {str(folder)!r} holds no weights of {scheme}: {stem}.npz is needed, there is {there} "
            "(--weights random takes random ones)"
        )
    return found
