"""``--data``: a name or a path -> images for a network."""

from __future__ import annotations

from pathlib import Path

from energysim.data.base import Data
from energysim.data.cifar import cifar10, is_cifar10_folder
from energysim.data.digits import digits
from energysim.data.folder import folder_data
from energysim.data.normalise import Normalisation, read_normalisation
from energysim.data.npz import npz_data
from energysim.errors import DataError, UsageError, near_miss
from energysim.graph import LayerGraph
from energysim.graph.shapes import product

__all__ = ["MOST", "RANDOM", "load_data"]

#: Random images, and images of a file, unless it is said how many.
RANDOM, MOST = 8, 400
#: The most bytes that images may take up.
_ROOM = 1 << 33
_NAMES = ("random", "digits")
_ACCEPTED = (
    "random, digits (digits:train, digits:validation), an .npz of images and labels, "
    "a CIFAR-10 .bin or its folder, or a folder of .ppm, .pgm or .npy images"
)


def load_data(
    text: str | Path,
    graph: LayerGraph,
    count: int | None = None,
    *,
    seed: int = 0,
    normalise: str | None = None,
) -> Data:
    """Return images for a network.

    Parameters
    ----------
    text : str or Path
        ``random``, ``digits`` (the test split), ``digits:train``, ``digits:validation``, or a path:
        an ``.npz`` file, a CIFAR-10 ``.bin`` or the folder of its distribution (the test images), or
        a folder of images.
    graph : LayerGraph
    count : int, optional
        How many, evenly spaced; by default 8 random images, and of others all, but not more than 400.
    seed : int
        Of the random images.
    normalise : str, optional
        ``none``, ``cifar10``, ``imagenet`` or ``MEAN,STD``; by default none but for CIFAR-10 files.

    Raises
    ------
    DataError, UsageError
        One message of what cannot be used, and what could.
    """
    if count is not None and (type(count) is not int or count < 1):
        raise UsageError(f"the number of inputs is at least 1, not {count!r}")
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise UsageError(f"a seed is a whole number from 0 to 2**64 - 1, not {seed!r}")
    _check_room(graph, count or 0)
    rule = None if normalise is None else read_normalisation(normalise)
    name = str(text)
    head, colon, split = name.partition(":")
    if head == "random" and not colon:
        if rule is not None:
            raise UsageError("random images have mean 0 and deviation 1: there is nothing to normalise")
        return _random(graph, RANDOM if count is None else count, seed)
    if head == "digits":
        return digits(graph, count, split if colon else "test", rule)
    return _from_path(name, graph, count, rule)


def _check_room(graph: LayerGraph, count: int) -> None:
    """Refuse more images than can be held at once."""
    size = sum(4 * product(graph.tensor(name).shape[1:]) for name in graph.inputs)
    if count * size > _ROOM:
        raise UsageError(
            f"{count} inputs of {graph.name!r} are {count * size / 1e9:.3g} GB in float32: all are held at "
            f"once, {_ROOM // size} at most"
        )


def _random(graph: LayerGraph, count: int, seed: int) -> Data:
    from energysim.inference.calibration import random_images

    images = random_images(graph, count, seed)
    return Data(images, None, f"{count} random images of seed {seed}", "mean 0, deviation 1", random=True)


def _from_path(name: str, graph: LayerGraph, count: int | None, rule: Normalisation | None) -> Data:
    if not name:
        raise UsageError(f"the data have no name ({_ACCEPTED})")
    path = Path(name)
    try:
        folder, file = path.is_dir(), path.is_file()
    except (OSError, ValueError):
        folder = file = False
    if folder:
        if is_cifar10_folder(path):
            return cifar10(path, graph, count, MOST, rule)
        return folder_data(path, graph, count, MOST, rule)
    if not file:
        if "/" in name or "\\" in name or "." in name:
            raise DataError(f"{name}: there is no such file or folder")
        raise UsageError(f"unknown data {name!r}{near_miss(name, _NAMES)} ({_ACCEPTED})")
    if path.suffix == ".bin":
        return cifar10(path, graph, count, MOST, rule)
    if path.suffix == ".npz":
        return npz_data(path, graph, count, MOST, rule)
    raise DataError(f"{name}: not a kind of file that can be used as data ({_ACCEPTED})")
