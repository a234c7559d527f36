"""Weights for a run: files, a folder of files by scheme, those that ship with a model, or random ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from energysim.data import Data
from energysim.errors import WeightsError
from energysim.graph import LayerGraph
from energysim.inference import calibrate, load_weights, random_images, random_weights
from energysim.inference.base import Images
from energysim.inference.weights import FloatArray
from energysim.resources import data_folder

__all__ = ["WeightSet", "file_stem", "weight_sets"]

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
    seed : int
        Of random weights.
    """

    label: str
    file: Path | None = None
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
        if self.file is not None:
            return load_weights(self.file, graph)
        return calibrate(graph, random_weights(graph, self.seed), self._calibration(graph, data))

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
        ``psconv_PSD4_P8.npz`` or, for several, ``psconv_PSD4_P8.seed0.npz``: see :func:`file_stem`.
    model : str or None
        Name in the zoo: the folder ``weights/<name>`` that ships with it is used if nothing is given.
    scheme : str
    seed : int
        Of random weights, where there are no others.

    Raises
    ------
    WeightsError
        If a folder holds none for this scheme.
    """
    if not given and model is not None:
        shipped = data_folder("models") / "weights" / model
        given = [shipped] if shipped.is_dir() else []
    if not given:
        return (WeightSet(f"random weights of seed {seed}, He-scaled, batch norm calibrated", seed=seed),)
    found: list[Path] = []
    for item in map(Path, given):
        found += _in_folder(item, scheme) if item.is_dir() else [item]
    return tuple(WeightSet(f"file {path.name!r}", path) for path in found)


def file_stem(scheme: str) -> str:
    """Return a scheme's name as a file's: ``psconv_PSD4_P8`` for ``psconv:PSD4_P8``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", scheme).strip("_")


def _in_folder(folder: Path, scheme: str) -> list[Path]:
    stem = file_stem(scheme)
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in _SUFFIXES and path.name.split(".", 1)[0] == stem and path.is_file()
    )
    if not found:
        raise WeightsError(f"folder {str(folder)!r} has no weights of {scheme}: {stem}.npz or {stem}.NAME.npz")
    return found
