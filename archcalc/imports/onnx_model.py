"""An ONNX file to its model, without the weights' numbers, of which only the shapes matter.

The file may be hostile. Long tensors are cut out before the message is parsed, so memory does not grow with the
weights. Data in other files is read only if it is short and inside the file's folder.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from archcalc.errors import UserError
from archcalc.requirements import need
from archcalc.words import quote

MAX_FILE = 2**31
"""Largest protocol buffer, in bytes."""
MAX_MESSAGE = 2**26
"""Largest model without its weights, in bytes."""
SMALL = 2**21
"""Bytes up to which a model without its weights is parsed as it is. Of a larger one every part is counted first."""
LONG = 2**15
"""Bytes above which the data of a tensor is cut out."""
MAX_PARTS = 2 * 10**6
"""The most parts of the message that are looked at one by one."""

TENSOR_DATA = frozenset([4, 5, 6, 7, 9, 10, 11])
INNER: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Message to the numbers of its fields that may hold a long tensor, with their messages."""
TEXTS = frozenset([("model", 6), ("model", 14), ("graph", 10), ("node", 6), ("function", 8), ("tensor", 12)])
"""Fields of descriptions, which are left out if they are long."""
SCOPES = b"name_scopes"
"""In the only description of a node that is used."""


class Broken(Exception):
    """The bytes are not a protocol buffer."""


def read_model(path: Path) -> Any:
    """Return the `ModelProto` of a file, without the data of long tensors.

    Raises:
        MissingExtra: if onnx is not installed.
        UserError: if the file cannot be read, is too large, or is not an ONNX model.
    """
    onnx = need("onnx", "onnx")
    shown = quote(path.name)
    try:
        size = path.stat().st_size
        if size >= MAX_FILE:
            raise UserError(f"{shown} has {size:,} bytes, and an ONNX file must be below 2 GiB")
        if size == 0:
            raise UserError(f"{shown} is empty")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            message = shortened(content)
    except OSError as error:
        raise UserError(f"{shown} cannot be read: {error.strerror or error}") from error
    except Broken as error:
        raise UserError(f"{shown} is not an ONNX file: {error}") from error
    try:
        model = onnx.ModelProto.FromString(message)
    except Exception as error:
        raise UserError(f"{shown} is not an ONNX file: its message is broken") from error
    if _has_broken_text(model):
        raise UserError(f"{shown} is not an ONNX file: a name in it is not UTF-8")
    if not model.HasField("graph") or not model.graph.node:
        raise UserError(f"{shown} is not an ONNX model: it has no graph with nodes")
    if not model.opset_import:
        raise UserError(f"{shown} does not say which version of ONNX's operators it uses")
    return model


def _has_broken_text(model: Any) -> bool:
    """Return True if a text in a message is not UTF-8: the parser gives it as bytes."""
    pending = [model]
    while pending:
        for field, value in pending.pop().ListFields():
            if field.message_type is not None:
                pending += value if isinstance(value, Iterable) else [value]
            elif field.type == field.TYPE_STRING:
                texts = [value] if isinstance(value, (str, bytes)) else value
                if any(isinstance(text, bytes) for text in texts):
                    return True
    return False


def shortened(content: Any) -> bytes:
    """Return a serialized model without the data of long tensors."""
    found = _Cutter(content).copied("model", 0, len(content), 0)
    return found if len(found) <= SMALL else _Cutter(found, is_thorough=True).copied("model", 0, len(found), 0)


class _Cutter:
    def __init__(self, content: Any, is_thorough: bool = False) -> None:
        self.content = content
        self.is_thorough = is_thorough
        """True if short parts are looked into too, and descriptions of nodes are left out."""
        self.parts = 0

    def copied(self, message: str, start: int, end: int, depth: int) -> bytes:
        """Return the fields from ``start`` to ``end``."""
        content, found = self.content, bytearray()
        if depth > 60:
            raise Broken("its subgraphs are nested too deeply")
        position = start
        while position < end:
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise Broken(f"it has more than {MAX_PARTS:,} parts")
            key, body = self._varint(position, end)
            field, wire = key >> 3, key & 7
            if wire != 2:
                if wire not in (0, 1, 5):
                    raise Broken(f"a part has type {wire}, which no format of protobuf has")
                stop = self._varint(body, end)[1] if wire == 0 else body + (8 if wire == 1 else 4)
                if stop > end:
                    raise Broken("it ends in the middle of a part")
                found += content[position:stop]
                position = stop
                continue
            length, body = self._varint(body, end)
            stop = body + length
            if stop > end:
                raise Broken("it ends in the middle of a part")
            inner = INNER[message].get(field)
            if self.is_thorough and self._is_description(message, field, content[body:stop]):
                pass
            elif length <= LONG and not (self.is_thorough and inner):
                self.parts += length // 16 if self.is_thorough else 0
                found += content[position:stop]
            elif message == "tensor" and field in TENSOR_DATA:
                pass
            elif inner is not None:
                part = self.copied(inner, body, stop, depth + 1)
                found += _encoded(key) + _encoded(len(part)) + part
            elif (message, field) not in TEXTS:
                found += content[position:stop]
            if len(found) > MAX_MESSAGE:
                raise Broken(f"it has more than {MAX_MESSAGE // 2**20} MiB without its weights")
            position = stop
        return bytes(found)

    @staticmethod
    def _is_description(message: str, field: int, content: bytes) -> bool:
        return (message, field) in TEXTS or ((message, field) == ("node", 9) and SCOPES not in content)

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while position < end and shift < 70:
            byte = self.content[position]
            value |= (byte & 127) << shift
            position, shift = position + 1, shift + 7
            if byte < 128:
                return value, position
        raise Broken("it ends in the middle of a number, or a number is too long")


def _encoded(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def external_bytes(tensor: Any, folder: Path, most: int) -> bytes | None:
    """Return the data of a tensor that is in a file of its own; None if it is longer than ``most`` or not there.

    Raises `UserError` if the file is not inside the folder of the model.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    inside = PurePosixPath(location.replace("\\", "/"))
    if not location or "\0" in location or inside.is_absolute() or ".." in inside.parts or ":" in location:
        raise UserError(f"the data of {quote(tensor.name)} is in {quote(location)}, which is not inside the folder")
    offset, length = entries.get("offset", "0"), entries.get("length", "")
    if not (offset.isdecimal() and length.isdecimal() and len(offset) < 19 and len(length) < 19):
        return None
    if int(length) > most:
        return None
    path = folder / location
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"the data of {quote(tensor.name)} is in {quote(location)}, which leads out of the folder")
        if not path.is_file():
            return None
        with path.open("rb") as file:
            file.seek(int(offset))
            content: bytes = file.read(int(length))
            return content
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, UserError):
            raise
        return None
