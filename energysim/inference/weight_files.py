"""Weight files: ``.npz`` (read and written) and safetensors (read). Nothing is ever unpickled.

The kind of a file follows from its first bytes, not from its name. Headers are checked against the
network before any array is read, so a file cannot make the reader allocate more than the network has.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from energysim.errors import WeightsError
from energysim.graph import BatchNorm, LayerGraph
from energysim.graph.shapes import Shape, product, text
from energysim.inference.safetensors import Entry, read_entries
from energysim.inference.weights import (
    FloatArray,
    Weights,
    check_weights,
    expected_weights,
    name_problems,
    raise_problems,
)
from energysim.npz import ArrayReader

__all__ = ["load_weights", "save_weights", "weight_groups"]

_ACCEPTED = "accepted are .npz files and safetensors files of float32 arrays"


def load_weights(path: str | Path, graph: LayerGraph, group: str = "") -> dict[str, FloatArray]:
    """Read the weights of a network from an ``.npz`` or safetensors file.

    Parameters
    ----------
    path : str or Path
    graph : LayerGraph
        The names and shapes that must be in the file (see
        :func:`~energysim.inference.weights.expected_weights`), no more and no fewer; only
        ``num_batches_tracked`` of a batch norm, which PyTorch writes beside its statistics, is left
        out.
    group : str
        Which set of an ``.npz`` file of several (see :func:`weight_groups`).

    Raises
    ------
    WeightsError
        One message: the file cannot be read, is of another kind (a pickle is refused, never
        unpickled), is cut short or inconsistent; or names, shapes, types or values are not the
        network's.
    """
    reader = ArrayReader(Path(path), "weights", WeightsError, _ACCEPTED)
    source = f"{path}, {group}" if group else str(path)
    with reader.reading():
        with reader.path.open("rb") as stream:
            start = stream.read(16)
            _refuse_others(reader, start)
            if start[:2] == b"PK":
                found = _from_npz(reader, stream, graph, source, group)
            else:
                found = _from_safetensors(stream, graph, source)
        return check_weights(graph, found, source)


def weight_groups(path: str | Path) -> tuple[str, ...]:
    """Return the names of the sets in an ``.npz`` file, the part of its arrays' names before a slash.

    None if it holds a single set, or is no archive of arrays: ``load_weights`` tells what it is then.

    Raises
    ------
    WeightsError
        If only some of its arrays belong to a set.
    """
    try:
        with zipfile.ZipFile(path) as box:
            names = box.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        # No archive, a broken one, or of a version that zipfile does not know (NotImplementedError):
        # whoever reads it says what is wrong.
        return ()
    groups = tuple(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name))
    if not groups or not all(name.endswith(".npy") for name in names):
        return ()
    if not all("/" in name for name in names):
        raise WeightsError(
            f"{path}: some of its arrays belong to a set (such as {groups[0]!r}), some to none"
        )
    return groups


def save_weights(path: str | Path, weights: Weights, compress: bool = False) -> None:
    """Write weights to an ``.npz`` file; equal weights give equal bytes.

    The file appears whole or not at all: it is written beside its place under another name first.

    Parameters
    ----------
    path : str or Path
        Must end in ``.npz``.
    weights : mapping of str to float32 array
    compress : bool
        Whether members are deflated (random weights hardly shrink).

    Raises
    ------
    WeightsError
        If the name ends otherwise, an array is not float32, or the file cannot be written.
    """
    file = Path(path)
    if file.suffix != ".npz":
        raise WeightsError(f"weights are written as .npz, not as {file.name!r}")
    for name, array in weights.items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float32:
            raise WeightsError(f"{name!r} cannot be saved: weights are float32 arrays")
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
            temporary = stream.name
            with zipfile.ZipFile(stream, "w", method) as box:
                for name, array in weights.items():
                    member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                    member.compress_type = method
                    with box.open(member, "w", force_zip64=True) as out:
                        npy.write_array(out, np.ascontiguousarray(array, "<f4"), allow_pickle=False)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)  # as if it had been opened by name
        Path(temporary).replace(file)
        temporary = ""
    except OSError as error:
        raise WeightsError(f"{file} cannot be written: {error.strerror or error}") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _refuse_others(reader: ArrayReader, start: bytes) -> None:
    """Name well-known kinds of files that are no weights for us, by their first bytes."""
    reader.refuse_others(start)
    if start.startswith(npy.MAGIC_PREFIX):
        reader.refuse("this is a single array without a name")
    if start[:2] != b"PK" and (len(start) < 10 or start[8:9] != b"{"):
        reader.refuse("this is no weight file")


def _relevant(names: Mapping[str, object], graph: LayerGraph) -> list[str]:
    """Return the names of a file without the step counters PyTorch keeps in a batch norm."""
    counters = {f"{n.name}.num_batches_tracked" for n in graph.nodes if isinstance(n.op, BatchNorm)}
    return [name for name in names if name not in counters]


def _check_header(name: str, shape: Shape, kind: str, needed: Shape) -> list[str]:
    """Return what is wrong with the header of one array, at most one text."""
    if kind != "float32":
        return [f"{name!r} holds {kind}, not float32"]
    if shape != needed:
        return [f"{name!r} has shape {text(shape) or 'of one number'}, the network needs {text(needed)}"]
    return []


def _check_headers(source: str, graph: LayerGraph, headers: dict[str, tuple[Shape, str]]) -> None:
    """Raise WeightsError unless the names, shapes and types of a file are the network's."""
    expected = expected_weights(graph)
    problems = name_problems(expected, headers)
    for name in expected:
        if name in headers:
            problems += _check_header(name, *headers[name], expected[name])
    raise_problems(graph, source, problems)


def _from_npz(
    reader: ArrayReader, stream: BinaryIO, graph: LayerGraph, source: str, group: str
) -> dict[str, FloatArray]:
    prefix = f"{group}/" if group else ""
    with zipfile.ZipFile(stream) as box:
        headers = {
            name.removeprefix(prefix): header
            for name, header in reader.headers(box).items()
            if name.startswith(prefix)
        }
        kept = _relevant(headers, graph)
        _check_headers(source, graph, {n: (headers[n].shape, str(headers[n].dtype)) for n in kept})
        return {name: reader.array(box, headers[name]) for name in kept}


def _from_safetensors(stream: BinaryIO, graph: LayerGraph, source: str) -> dict[str, FloatArray]:
    entries, origin = read_entries(stream)
    kept: dict[str, Entry] = {name: entries[name] for name in _relevant(entries, graph)}
    _check_headers(source, graph, {name: (entry.shape, entry.kind) for name, entry in kept.items()})
    found = {}
    for name, entry in kept.items():
        stream.seek(origin + entry.begin)
        data = np.fromfile(stream, dtype="<f4", count=product(entry.shape))
        found[name] = data.astype(np.float32, copy=False).reshape(entry.shape)
    return found
