"""Arrays in ``.npz`` archives and ``.npy`` files, read without trusting them. Nothing is ever unpickled.

Headers are read before arrays, so that who reads can refuse a file for the price of its headers.
"""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from energysim.errors import EnergysimError

__all__ = ["ArrayReader", "Header"]

_PICKLE = "which could run any program: it is not opened"
#: What broken files make NumPy and zipfile raise (NotImplementedError: a compression, or a version of
#: the format, that zipfile does not know).
_BROKEN = (
    *(ValueError, EOFError, KeyError, MemoryError, NotImplementedError, OverflowError, RecursionError),
    *(RuntimeError, SyntaxError, TypeError, Warning, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


@dataclass(frozen=True)
class Header:
    """What an array of an archive says of itself.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy type
    member : ZipInfo
        Where it lies.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    member: zipfile.ZipInfo


@dataclass(frozen=True)
class ArrayReader:
    """Reads one file; all that is wrong with it is one message.

    Attributes
    ----------
    path : Path
    what : str
        What the file is to hold, for messages: ``weights``.
    error : type of EnergysimError
        What is raised.
    accepted : str
        The end of a message that refuses a kind of file.
    """

    path: Path
    what: str
    error: type[EnergysimError]
    accepted: str

    def refuse(self, problem: str) -> NoReturn:
        """Raise the error for a file of a wrong kind."""
        raise self.error(f"{self.path}: {problem}; {self.accepted}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn whatever a broken file makes the readers raise into one message."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy only warns of headers that it had to repair
                yield
        except EnergysimError:
            raise
        except OSError as error:
            raise self.error(
                f"{self.what} {str(self.path)!r} cannot be read: {error.strerror or error}"
            ) from None
        except _BROKEN as error:
            told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise self.error(f"{self.path}: the file is damaged or cut short ({told})") from None

    def refuse_others(self, start: bytes) -> None:
        """Name well-known kinds of files that are neither archives nor arrays, by their first bytes."""
        if not start:
            self.refuse("the file is empty")
        if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            self.refuse(f"this is a pickle, {_PICKLE}")
        if start.startswith(b"\x89HDF"):
            self.refuse("this is an HDF5 file")

    def headers(self, box: zipfile.ZipFile) -> dict[str, Header]:
        """Return the header of every array by name, without reading any; call it within ``reading``."""
        found: dict[str, Header] = {}
        for member in box.infolist():
            if member.filename.endswith(".pkl"):
                self.refuse(f"this is a PyTorch file with a pickle inside, {_PICKLE}")
            name, dot, suffix = member.filename.rpartition(".")
            if not dot or suffix != "npy":
                self.refuse(f"member {member.filename!r} is no array")
            if name in found:
                raise ValueError(f"two members {member.filename!r}")
            with box.open(member) as stream:
                shape, dtype = self._header(stream, member.file_size, f"array {name!r}")
            found[name] = Header(shape, dtype, member)
        return found

    def array(self, box: zipfile.ZipFile, header: Header) -> NDArray[Any]:
        """Return an array of an archive, in C order; call it within ``reading``."""
        with box.open(header.member) as stream:
            found = npy.read_array(stream, allow_pickle=False)
            if stream.read(1):
                raise ValueError(f"bytes behind {header.member.filename!r}")
        return np.ascontiguousarray(found).reshape(found.shape)  # a single number stays one

    def single(self) -> NDArray[Any]:
        """Return the array of an ``.npy`` file."""
        with self.reading(), self.path.open("rb") as stream:
            self.refuse_others(stream.read(16))
            stream.seek(0)
            self._header(stream, self.path.stat().st_size, "the array")
            stream.seek(0)
            found: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
        return found

    def _header(self, stream: Any | BinaryIO, size: int, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and type of an array of so many bytes, header included."""
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name} has format {version}")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
        if dtype.hasobject:
            self.refuse(f"{name} is a pickle, {_PICKLE}")
        if math.prod(shape) * dtype.itemsize > size - stream.tell():
            raise ValueError(f"{name} is cut short")
        return shape, dtype
