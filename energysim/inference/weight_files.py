"""Weight files: ``.npz`` (read and written) and safetensors (read). Nothing is ever unpickled.

The kind of a file follows from its first bytes, not from its name. Headers are checked against the
network before any array is read, so a file cannot make the reader allocate more than the network has.
"""

from __future__ import annotations

import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

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

__all__ = ["load_weights", "save_weights"]

_ACCEPTED = "accepted are .npz files and safetensors files of float32 arrays"
#: Entries of an npz member: its header as read, and the member.
_NpzEntries = dict[str, tuple[Shape, np.dtype[Any], zipfile.ZipInfo]]


def load_weights(path: str | Path, graph: LayerGraph) -> dict[str, FloatArray]:
    """Read the weights of a network from an ``.npz`` or safetensors file.

    Parameters
    ----------
    path : str or Path
    graph : LayerGraph
        The names and shapes that must be in the file (see
        :func:`~energysim.inference.weights.expected_weights`), no more and no fewer; only
        ``num_batches_tracked`` of a batch norm, which PyTorch writes beside its statistics, is left
        out.

    Raises
    ------
    WeightsError
        One message: the file cannot be read, is of another kind (a pickle is refused, never
        unpickled), is cut short or inconsistent; or names, shapes, types or values are not the
        network's.
    """
    file = Path(path)
    with _reading(file):
        with file.open("rb") as stream:
            start = stream.read(16)
            _refuse_others(file, start)
            if start[:2] == b"PK":
                found = _from_npz(file, stream, graph)
            else:
                found = _from_safetensors(file, stream, graph)
        return check_weights(graph, found, str(file))


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


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn whatever a broken file makes the readers raise into one message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns of headers that it had to repair
            yield
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"weights {str(file)!r} cannot be read: {error.strerror or error}") from None
    except (  # what NumPy and zipfile raise on broken files; NotImplementedError: an unknown compression
        ValueError,
        EOFError,
        KeyError,
        MemoryError,
        NotImplementedError,
        OverflowError,
        RecursionError,
        RuntimeError,
        SyntaxError,
        TypeError,
        Warning,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        what = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(f"{file}: the file is damaged or cut short ({what})") from None


def _refuse(file: Path, what: str) -> NoReturn:
    raise WeightsError(f"{file}: {what}; {_ACCEPTED}")


def _refuse_others(file: Path, start: bytes) -> None:
    """Name well-known kinds of files that are no weights for us, by their first bytes."""
    if not start:
        _refuse(file, "the file is empty")
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        _refuse(file, "this is a pickle, which could run any program: it is not opened")
    if start.startswith(npy.MAGIC_PREFIX):
        _refuse(file, "this is a single array without a name")
    if start.startswith(b"\x89HDF"):
        _refuse(file, "this is an HDF5 file")
    if start[:2] != b"PK" and (len(start) < 10 or start[8:9] != b"{"):
        _refuse(file, "this is no weight file")


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


def _check_headers(file: Path, graph: LayerGraph, headers: dict[str, tuple[Shape, str]]) -> None:
    """Raise WeightsError unless the names, shapes and types of a file are the network's."""
    expected = expected_weights(graph)
    problems = name_problems(expected, headers)
    for name in expected:
        if name in headers:
            problems += _check_header(name, *headers[name], expected[name])
    raise_problems(graph, str(file), problems)


def _from_npz(file: Path, stream: BinaryIO, graph: LayerGraph) -> dict[str, FloatArray]:
    with zipfile.ZipFile(stream) as box:
        members = _npz_entries(file, box)
        kept = _relevant(members, graph)
        _check_headers(file, graph, {n: (members[n][0], str(members[n][1])) for n in kept})
        found = {}
        for name in kept:
            with box.open(members[name][2]) as member:
                found[name] = np.ascontiguousarray(npy.read_array(member, allow_pickle=False))
                if member.read(1):
                    raise ValueError(f"bytes behind the array {name!r}")
        return found


def _npz_entries(file: Path, box: zipfile.ZipFile) -> _NpzEntries:
    """Return the header of every member by name, without reading any array."""
    found: _NpzEntries = {}
    for member in box.infolist():
        if member.filename.endswith(".pkl"):
            _refuse(file, "this is a PyTorch file with a pickle inside, which could run any program")
        name, dot, suffix = member.filename.rpartition(".")
        if not dot or suffix != "npy":
            _refuse(file, f"member {member.filename!r} is no array")
        if name in found:
            raise ValueError(f"two members {member.filename!r}")
        with box.open(member) as stream:
            version = npy.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"array {name!r} has format {version}")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(stream)
            rest = member.file_size - stream.tell()
        if dtype.hasobject:
            _refuse(file, f"array {name!r} is a pickle, which could run any program: it is not opened")
        if product(shape) * dtype.itemsize > rest:
            raise ValueError(f"array {name!r} is cut short")
        found[name] = (shape, dtype, member)
    return found


def _from_safetensors(file: Path, stream: BinaryIO, graph: LayerGraph) -> dict[str, FloatArray]:
    entries, origin = read_entries(stream)
    kept: dict[str, Entry] = {name: entries[name] for name in _relevant(entries, graph)}
    _check_headers(file, graph, {name: (entry.shape, entry.kind) for name, entry in kept.items()})
    found = {}
    for name, entry in kept.items():
        stream.seek(origin + entry.begin)
        data = np.fromfile(stream, dtype="<f4", count=product(entry.shape))
        found[name] = data.astype(np.float32, copy=False).reshape(entry.shape)
    return found
