"""Reading an ONNX file: its bones first, its tensors when they are asked for.

Nothing is read but the file itself and the files of external data it names, which must lie in its own
folder: no absolute path, no way up, no link that leads out.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from energysim.errors import EnergysimError, ModelError, UsageError, WeightsError
from energysim.graph.shapes import Shape, product, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_scan import Payload, scan
from energysim.importers.onnx_values import ELEMENTS, Array, Constant, Element

__all__ = ["OnnxFile"]

#: Numbers of ``AttributeProto.AttributeType``.
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 5, 6, 7, 8
#: ``TensorProto.EXTERNAL``.
_EXTERNAL = 1
#: Beginnings of files that are taken for ONNX: bytes -> what they are.
_OTHERS = {
    b"PK\x03\x04": "a zip archive (PyTorch's .pt and NumPy's .npz are such)",
    b"\x89HDF": "an HDF5 file (Keras)",
    b"\x80\x02": "a pickle (PyTorch)",
    b"\x80\x04": "a pickle",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: git lfs pull",
}


class OnnxFile:
    """An ONNX file, its tensors not read yet.

    Parameters
    ----------
    source : str, Path or bytes
        The file, or what it holds (then external data is refused).

    Attributes
    ----------
    label : str
        The file's path as it was given, for messages.
    proto : onnx.ModelProto
        Without long values.

    Raises
    ------
    UsageError
        If the package onnx is not installed.
    ModelError
        If the file cannot be read or is no ONNX model.
    """

    def __init__(self, source: str | Path | bytes) -> None:
        self.folder: Path | None = None
        self._package = _package()
        if isinstance(source, bytes):
            self.label = "the model"
            self._data: Any = source
        else:
            self.label = str(source)
            self.folder = Path(source).parent
            self._data = _mapped(Path(source))
        try:
            bones, self._payloads = scan(self._data)
            self.proto = self._package.ModelProto.FromString(bones)
        except ModelError as error:
            raise ModelError(f"{self.label}: {_guess(self._data)}: {error}") from None
        except Exception as error:  # what protobuf raises depends on how it was built
            detail = " ".join(str(error).split())
            raise ModelError(f"{self.label}: {_guess(self._data)}: {detail}") from None
        if not self.proto.HasField("graph"):
            raise ModelError(f"{self.label}: {_guess(self._data)}: it holds no graph")

    @property
    def newest_opset(self) -> int:
        """The newest set of standard operators that the installed package onnx knows."""
        return int(self._package.defs.onnx_opset_version())

    @property
    def package(self) -> Any:
        """The package onnx."""
        return self._package

    def constant(self, tensor: Any) -> Constant:
        """Return a tensor of the file as a constant; sizes are checked, values are not read.

        Raises
        ------
        ModelError
            A type without numbers, lengths that are no lengths, values that are not there; names
            the tensor.
        """
        name = tensor.name
        try:
            return self._constant(tensor)
        except ModelError as error:
            raise ModelError(f"{self.label}: tensor {name!r}: {error}") from None

    def _constant(self, tensor: Any) -> Constant:
        element = ELEMENTS.get(tensor.data_type)
        if element is None:
            raise ModelError(f"elements of type {tensor.data_type} ({self._type_name(tensor.data_type)})")
        shape = tuple(tensor.dims)
        if min(shape, default=0) < 0:
            raise ModelError(f"a shape of {shape}")
        needed = -(-product(shape) * element.bits // 8)
        if not tensor.doc_string:  # of a body that the standard gives, not of this file
            array = self._package.numpy_helper.to_array(tensor).astype(element.dtype)
            return Constant.of(array, element)
        payload = self._payloads[int(tensor.doc_string)]
        if tensor.data_location == _EXTERNAL:
            path, offset = self._external(tensor, needed)
            return Constant(
                shape, element, lambda: _read_external(path, offset, needed, shape, element), tensor.name
            )
        if payload.raw_bytes is not None and payload.raw_bytes != needed:
            raise ModelError(
                f"{text(shape) or 'one number'} needs {needed} bytes, {payload.raw_bytes} are there"
            )
        if payload.raw_bytes is None and payload.stop - payload.start < min(needed, product(shape)):
            # A value takes a byte at least, also where it is a number of variable length; values of
            # less than a byte share one.
            raise ModelError(f"the values of {text(shape)} are not all there")
        return Constant(shape, element, lambda: self._load(payload, shape, element, tensor.name), tensor.name)

    def _load(self, payload: Payload, shape: tuple[int, ...], element: Element, name: str) -> Array:
        try:
            whole = self._package.TensorProto.FromString(bytes(self._data[payload.start : payload.stop]))
            array = np.asarray(self._package.numpy_helper.to_array(whole))
            return array.astype(element.dtype, order="C").reshape(shape)
        except Exception as error:  # values that do not fit their type or shape
            detail = " ".join(str(error).split())
            raise ModelError(f"{self.label}: tensor {name!r} cannot be read: {detail}") from None

    def _external(self, tensor: Any, needed: int) -> tuple[Path, int]:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        path = self._inside(location)
        try:
            status = path.stat()
        except (OSError, ValueError):
            raise ModelError(f"its values should be in {location!r}, which is not there") from None
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"its values should be in {location!r}, which is no file")
        offset, length = (_whole(entries, key) for key in ("offset", "length"))
        if length is not None and length != needed:
            raise ModelError(
                f"{text(tuple(tensor.dims))} needs {needed} bytes, {length} are named in {location!r}"
            )
        if (offset or 0) + needed > status.st_size:
            raise ModelError(
                f"its values should be bytes {offset or 0} to {(offset or 0) + needed} of {location!r}, "
                f"which has {status.st_size}"
            )
        return path, offset or 0

    def _inside(self, location: str) -> Path:
        """The file of external data, if it lies in the model's folder."""
        if self.folder is None:
            raise ModelError("external data needs a model in a file")
        parts = PurePosixPath(location.replace("\\", "/"))
        strange = "\0" in location or PureWindowsPath(location).drive or parts.is_absolute()
        if not location or strange or ".." in parts.parts:
            raise ModelError(f"external data {location!r} is not in the folder of the model: it is not read")
        path = self.folder / location
        try:
            if path.resolve().is_relative_to(self.folder.resolve()):
                return path
        except (OSError, RuntimeError, ValueError):
            pass
        raise ModelError(f"external data {location!r} leads out of the folder of the model: it is not read")

    def attributes(self, node: Any, outer: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of a node as plain values; ``outer`` are those of the function around it.

        Raises
        ------
        ModelError
            A type that no operator here has.
        """
        found: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                if attribute.ref_attr_name in outer:
                    found[attribute.name] = outer[attribute.ref_attr_name]
                continue
            found[attribute.name] = self._attribute(attribute)
        return found

    def _attribute(self, attribute: Any) -> Any:
        kind = attribute.type
        if kind == _TENSOR:
            return self.constant(attribute.t)
        if kind == _STRING:
            return attribute.s.decode("utf-8", "replace")
        if kind == _STRINGS:
            return tuple(s.decode("utf-8", "replace") for s in attribute.strings)
        fields = {_FLOAT: "f", _INT: "i", _GRAPH: "g", _FLOATS: "floats", _INTS: "ints"}
        if kind not in fields:
            return attribute  # nobody asks for it, or it is of the wrong type then
        value = getattr(attribute, fields[kind])
        return tuple(value) if kind in (_FLOATS, _INTS) else value

    def attributes_of_function(self, function: Any) -> dict[str, Any]:
        """Return the defaults of a function's attributes."""
        return {a.name: self._attribute(a) for a in function.attribute_proto}

    def has_body(self, call: Call) -> bool:
        """Return whether the standard may write an operator of its own out in others."""
        try:
            schema = self._package.defs.get_schema(call.operator, call.opset, "")
        except Exception:  # what the package raises for operators it does not know
            return False
        return bool(schema.has_function or schema.has_context_dependent_function)

    def standard_body(
        self, node: Any, call: Call, inputs: Sequence[tuple[Shape, Element] | None]
    ) -> Any | None:
        """Return an operator of the standard written out in others, if the standard does so.

        Raises whatever the package onnx raises for operators it does not know.
        """
        onnx = self._package
        schema = onnx.defs.get_schema(call.operator, call.opset, "")
        found = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
        if schema.has_function:
            body = onnx.FunctionProto()
            body.CopyFrom(schema.function_body)
            body.attribute_proto.extend(found.values())
            return body
        if not schema.has_context_dependent_function:
            return None
        plain = onnx.NodeProto()
        plain.CopyFrom(node)
        del plain.attribute[:]
        for name, value in call.attributes.items():
            if isinstance(value, Constant):
                return None
            plain.attribute.append(onnx.helper.make_attribute(name, value))
        types = []
        for known in inputs:
            number = next((n for n, e in ELEMENTS.items() if known is not None and e is known[1]), 0)
            made = onnx.helper.make_tensor_type_proto(number, None if known is None else known[0])
            types.append(made.SerializeToString())
        made_body = schema.get_context_dependent_function_with_opset_version(
            call.opset, plain.SerializeToString(), types
        )
        if not made_body:
            return None
        body = onnx.FunctionProto.FromString(made_body)
        body.attribute_proto.extend(found.values())
        return body

    def _type_name(self, number: int) -> str:
        with suppress(ValueError, KeyError):
            return str(self._package.TensorProto.DataType.Name(number)).lower()
        return "unknown"


def _package() -> Any:
    try:
        return import_module("onnx")
    except ImportError:
        raise UsageError("reading ONNX needs the package onnx: pip install 'energysim[onnx]'") from None


def _mapped(path: Path) -> Any:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ModelError(f"{path}: it is no file")
        with path.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelError(f"no model file {path}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise ModelError(f"{path}: it is empty, or its name is no file's") from None


def _guess(data: Any) -> str:
    """What a file that is no ONNX model may be."""
    start = bytes(data[:512])
    for beginning, what in _OTHERS.items():
        if start.startswith(beginning):
            return f"no ONNX model but {what}"
    with suppress(UnicodeDecodeError):
        printable = start.decode("ascii")
        if start and all(c.isprintable() or c in "\r\n\t" for c in printable):
            return "no ONNX model but a text file"
    return "no ONNX model, or one that is cut short"


def _whole(entries: Mapping[str, str], key: str) -> int | None:
    value = entries.get(key)
    if value is None or value == "":
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ModelError(f"external data has the {key} {value!r}")
    return int(value)


def _read_external(path: Path, offset: int, size: int, shape: tuple[int, ...], element: Element) -> Array:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(size)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) != size:
        raise WeightsError(f"{path} ends before byte {offset + size}")
    return _decoded(data, shape, element)


def _decoded(data: bytes, shape: tuple[int, ...], element: Element) -> Array:
    """Raw bytes as numbers, by the package: it knows the narrow types."""
    onnx = _package()
    number = next(n for n, e in ELEMENTS.items() if e is element)
    whole = onnx.TensorProto(data_type=number, dims=shape, raw_data=data)
    try:
        return np.asarray(onnx.numpy_helper.to_array(whole)).astype(element.dtype, order="C")
    except Exception as error:
        raise EnergysimError(f"raw data of {element.name} cannot be read: {error}") from None
