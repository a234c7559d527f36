"""Weights for a run: files, a folder of files by scheme, those that ship with a model, or random ones."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from energysim.data import Data
from energysim.data.npz import read_npy, reading
from energysim.errors import DataError, WeightsError
from energysim.graph import LayerGraph
from energysim.inference import calibrate, check_weights, load_weights, random_images, random_weights
from energysim.inference.base import Images
from energysim.inference.weights import FloatArray
from energysim.resources import data_folder

__all__ = ["RANDOM", "WeightSet", "file_stem", "shipped_folder", "weight_sets"]

#: What asks for random weights where others ship with the model.
RANDOM = "random"
_SUFFIXES = (".npz", ".safetensors")
#: Images that batch norms of random weights are calibrated on.
_CALIBRATION = 8


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

    def load(self, graph: LayerGraph, data: Data) -> dict[str, FloatArray]:
        """Return the weights of a graph; random ones are He-scaled, batch norms calibrated on images.

        Raises
        ------
        WeightsError
            If the file cannot be read, or is not of this network.
        """
        if self.file is None:
            return calibrate(graph, random_weights(graph, self.seed), self._calibration(graph, data))
        if not self.group:
            return load_weights(self.file, graph)
        return check_weights(graph, _read_group(self.file, self.group), f"{self.file}, {self.group}")

    def _calibration(self, graph: LayerGraph, data: Data) -> Images:
        """A few images of the data; other random ones if these are random, or too few."""
        if data.random or data.count < _CALIBRATION // 2:
            return random_images(graph, _CALIBRATION, self.seed ^ 1 << 63)
        return next(data.batches(_CALIBRATION)).images


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
        Name in the zoo: if nothing is given, weights that ship with it are used.
    scheme : str
    seed : int
        Of random weights, where there are no others.

    Raises
    ------
    WeightsError
        If a folder holds none for this scheme, or a file cannot be read.
    """
    if not given and model is not None:
        shipped = shipped_folder(model)
        given = [] if shipped is None else [shipped]
    if not given or [str(item) for item in given] == [RANDOM]:
        return (WeightSet(f"random weights of seed {seed}, He-scaled, batch norm calibrated", seed=seed),)
    found: list[WeightSet] = []
    for item in map(Path, given):
        for path in _in_folder(item, scheme) if item.is_dir() else [item]:
            groups = _groups(path)
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


def _in_folder(folder: Path, scheme: str) -> list[Path]:
    stem = file_stem(scheme)
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    found = [path for path in files if path.name.split(".", 1)[0] == stem]
    if not found:
        there = ", ".join(path.name for path in files) or "nothing"
        raise WeightsError(
            f"folder {folder.name!r} holds no weights of {scheme}: {stem}.npz is needed, there is {there} "
            "(--weights random takes random ones)"
        )
    return found


def _groups(path: Path) -> list[str]:
    """Return the sets in a file by name; none if it is a single one, or no such file."""
    try:
        with zipfile.ZipFile(path) as box:
            names = box.namelist()
    except (OSError, zipfile.BadZipFile):
        return []  # told where it is read
    groups = list(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name))
    if groups and not all("/" in name for name in names):
        raise WeightsError(
            f"{path}: some of its arrays belong to a set (such as {groups[0]!r}), some to none"
        )
    return groups


def _read_group(path: Path, group: str) -> dict[str, FloatArray]:
    found = {}
    try:
        with reading(path), zipfile.ZipFile(path) as box:
            for member in box.infolist():
                own, _, name = member.filename.partition("/")
                if own == group:
                    with box.open(member) as stream:
                        array = read_npy(path, stream, member.file_size, repr(member.filename))
                    found[name.removesuffix(".npy")] = array
    except DataError as error:
        raise WeightsError(str(error)) from None
    return found
