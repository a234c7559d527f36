"""The arrays of a weight file one after the other, without a network to check them against."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import WeightsError
from energysim.graph.shapes import product
from energysim.inference.safetensors import read_entries
from energysim.npz import ArrayReader

__all__ = ["WEIGHT_SUFFIXES", "weight_arrays"]

#: Suffixes of files that hold weights and no network.
WEIGHT_SUFFIXES = (".npz", ".safetensors")
_ACCEPTED = "accepted are .npz files and safetensors files of real numbers"
#: Type of a safetensors file -> how its bytes are read; a bfloat16 is the upper half of a float32.
_STORED = {
    **{"bool": "?", "uint8": "u1", "int8": "i1", "int16": "<i2", "uint16": "<u2", "float16": "<f2"},
    **{"int32": "<i4", "uint32": "<u4", "int64": "<i8", "uint64": "<u8"},
    **{"float32": "<f4", "float64": "<f8", "bfloat16": "<u2"},
}


def weight_arrays(path: str | Path, group: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield name and array, in the order of the file; only one is in memory at a time.

    Parameters
    ----------
    path : str or Path
        An ``.npz`` or safetensors file.
    group : str
        Which set of an ``.npz`` file of several: see :func:`energysim.inference.weight_groups`.

    Raises
    ------
    WeightsError
        One message: the file cannot be read, is of another kind (a pickle is never unpickled), is cut
        short, or holds numbers of an unknown type.
    """
    reader = ArrayReader(Path(path), "weights", WeightsError, _ACCEPTED)
    with reader.reading(), reader.path.open("rb") as stream:
        start = stream.read(16)
        reader.refuse_others(start)
        if start[:2] == b"PK":
            prefix = f"{group}/" if group else ""
            with zipfile.ZipFile(stream) as box:
                for name, header in reader.headers(box).items():
                    if name.startswith(prefix):
                        yield name.removeprefix(prefix), reader.array(box, header)
            return
        if len(start) < 10 or start[8:9] != b"{":
            reader.refuse("this is no weight file")
        entries, origin = read_entries(stream)
        for name, entry in entries.items():
            if entry.kind not in _STORED:
                reader.refuse(f"array {name!r} holds {entry.kind}")
            stream.seek(origin + entry.begin)
            data = np.fromfile(stream, dtype=_STORED[entry.kind], count=product(entry.shape))
            if entry.kind == "bfloat16":
                data = (data.astype(np.uint32) << 16).view(np.float32)
            yield name, data.reshape(entry.shape)
