"""YAML as a tree that remembers where everything stands.

Values stay text: what they mean is decided where they are used.

The tree is made from YAML's events with a stack of our own, so that no input, however deep, overflows anything.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from archcalc.errors import Place, SpecError
from archcalc.language.limits import exceeded, limit
from archcalc.words import quote


class Document:
    """A text, its name for messages, and the folder that its relative names start from."""

    def __init__(self, text: str, file: str, path: Path | None = None) -> None:
        self.text = text
        self.file = file
        self.path = path
        self.lines = text.split("\n")


class YamlNode:
    """A value of the document, with its place."""

    __slots__ = ("column", "document", "end", "line", "size")

    def __init__(self, document: Document, event: Any) -> None:
        mark = event.start_mark
        self.document = document
        self.line: int = mark.line
        self.column: int = mark.column
        self.end: int = event.end_mark.column if event.end_mark.line == mark.line else -1
        self.size = 1

    @property
    def place(self) -> Place:
        length = self.end - self.column if self.end > self.column else 1
        return Place(self.document.file, self.document.lines, self.line, self.column, length)

    def error(self, message: str) -> SpecError:
        """An error at this place."""
        return SpecError(message, self.place)


class Scalar(YamlNode):
    """A word, a number or an expression, as it is written."""

    __slots__ = ("quoted", "text")

    def __init__(self, document: Document, event: Any) -> None:
        super().__init__(document, event)
        self.text: str = event.value
        self.quoted: bool = bool(event.style)


class Sequence(YamlNode):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, document: Document, event: Any) -> None:
        super().__init__(document, event)
        self.items: list[AnyNode] = []


class Mapping(YamlNode):
    """Keys and their values, in order."""

    __slots__ = ("_key", "pairs")

    def __init__(self, document: Document, event: Any) -> None:
        super().__init__(document, event)
        self.pairs: dict[str, tuple[Scalar, AnyNode]] = {}
        self._key: Scalar | None = None

    def get(self, key: str) -> AnyNode | None:
        """The value of a key, if it is there."""
        pair = self.pairs.get(key)
        return pair[1] if pair else None

    def __iter__(self) -> Iterator[tuple[Scalar, AnyNode]]:
        return iter(self.pairs.values())


AnyNode: TypeAlias = "Scalar | Sequence | Mapping"


def is_empty(node: AnyNode | None) -> bool:
    """Whether a value is absent: `relu:` or `{relu}` give the key nothing."""
    return node is None or (isinstance(node, Scalar) and not node.quoted and node.text in ("", "~", "null"))


def read_document(path: Path) -> Document:
    """The text of a file; `SpecError` if it cannot be one."""
    file = str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SpecError(f"{file} is a directory, not a spec")
        if not stat.S_ISREG(status.st_mode):
            raise SpecError(f"{file} is not a regular file")
        if status.st_size > limit("bytes"):
            raise SpecError(exceeded("bytes", f"{file} has {status.st_size:,} bytes"))
        with open(path, "rb") as stream:
            raw = stream.read(limit("bytes") + 1)
    except FileNotFoundError:
        raise SpecError(f"there is no file {file}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(f"{file} cannot be read: {reason}") from None
    return Document(decode(raw, file), os.path.relpath(path) if path.is_absolute() else file, path)


def decode(raw: bytes, file: str) -> str:
    """Bytes as UTF-8 text; `SpecError` says what they are instead."""
    if len(raw) > limit("bytes"):
        raise SpecError(exceeded("bytes", f"{file} is too large"))
    if not raw.strip():
        raise SpecError(f"{file} is empty")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"{file} is UTF-16, not UTF-8: save it as UTF-8")
    if b"\0" in raw:
        raise SpecError(f"{file} is a binary file, not a spec")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError(f"{file} is not UTF-8: byte {error.start} in line {line}") from None


def parse(document: Document) -> Mapping:
    """The document's tree; `SpecError` for what is not YAML, or more than the limits allow."""
    try:
        root = _compose(document)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(document, error) from None
    except yaml.reader.ReaderError as error:
        line = document.text[: error.position].count("\n")
        column = error.position - (document.text.rfind("\n", 0, error.position) + 1)
        place = Place(document.file, document.lines, line, column)
        raise SpecError(f"this is not YAML: {error.reason}", place) from None
    if root is None:
        raise SpecError(f"{document.file} is empty: it holds only comments")
    if not isinstance(root, Mapping):
        raise root.error("a spec is a mapping with name, input and layers")
    return root


def _not_yaml(document: Document, error: yaml.MarkedYAMLError) -> SpecError:
    """A parser's error in plain words, where its cause stands."""
    if "nesting depth" in str(error.problem):  # PyYAML's own bound, which reads ahead of ours
        return SpecError(exceeded("depth", "this is nested too deep"))
    start, mark = error.context_mark, error.problem_mark or error.context_mark
    opened = _unclosed(document.lines, start.line, start.column) if start is not None else None
    if opened is not None:
        line, column = opened
        bracket = document.lines[line][column]
        return SpecError(f"this is not YAML: this {bracket} is never closed", _place_at(document, line, column))
    if mark is None:
        return SpecError(f"this is not YAML: {error.problem}")
    problem = ": ".join(part for part in (error.context, error.problem) if part)
    hint = _hint(document.lines[mark.line] if mark.line < len(document.lines) else "", mark.column)
    return SpecError(f"this is not YAML: {problem}{hint}", _place_at(document, mark.line, mark.column))


def _place_at(document: Document, line: int, column: int) -> Place:
    return Place(document.file, document.lines, line, column)


def _hint(line: str, column: int) -> str:
    """What was probably overlooked in a line, whose fault was seen at that column."""
    if "\t" in line:
        return "; YAML is indented by spaces, and this line has a tab"
    start = column
    while start > 0 and (line[start - 1].isalnum() or line[start - 1] in "_."):
        start -= 1
    if line[column : column + 1] == "[" and start < column:
        expression = line[start:column] + line[column:].partition("]")[0][:60] + "]"
        return f'; inside braces an expression with brackets stands in quotes: "{expression}"'
    return ""


_CLOSES = {"}": "{", "]": "["}


def _unclosed(lines: list[str], line: int, column: int) -> tuple[int, int] | None:
    """The brace or bracket that is not closed, of those from this one on; None if it is closed, or is none."""
    if line >= len(lines) or lines[line][column : column + 1] not in ("{", "["):
        return None
    opened: list[tuple[int, int]] = []
    quoted = ""
    for number in range(line, len(lines)):
        start = column if number == line else 0
        before = " "
        for at, one in enumerate(lines[number][start:], start):
            if quoted:
                quoted = "" if one == quoted else quoted
            elif one == "#" and before == " ":
                break
            elif one in "'\"" and before in " {[,:":
                quoted = one
            elif one in "{[":
                opened.append((number, at))
            elif one in _CLOSES:
                last, place = opened.pop()
                if lines[last][place] != _CLOSES[one]:
                    return last, place
                if not opened:
                    return None
            before = one
    return opened[-1] if opened and not quoted else None


def _compose(document: Document) -> AnyNode | None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stack: list[Sequence | Mapping] = []
    anchors: dict[str, AnyNode | None] = {}
    root: AnyNode | None = None
    documents = 0
    depth, nodes = limit("depth"), limit("nodes")
    event: Any
    for event in yaml.parse(document.text, Loader=loader):
        kind = type(event)
        node: AnyNode
        if kind is yaml.ScalarEvent:
            node = Scalar(document, event)
        elif kind is yaml.MappingStartEvent:
            node = Mapping(document, event)
        elif kind is yaml.SequenceStartEvent:
            node = Sequence(document, event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            done = stack.pop()
            if event.end_mark.line == done.line:
                done.end = event.end_mark.column
            if stack:
                stack[-1].size += done.size
                _check_size(stack[-1], nodes)
            continue
        elif kind is yaml.AliasEvent:
            _place(stack, _aliased(anchors, event, document), document, event)
            _check_size(stack[-1], nodes)
            continue
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise Scalar(document, _as_scalar(event)).error("a spec is one YAML document, and a second starts here")
            continue
        else:
            continue
        if event.tag is not None and not (kind is yaml.ScalarEvent and event.tag == "!"):
            raise node.error(f"tags such as {quote(event.tag)} have no meaning in a spec")
        if event.anchor is not None:
            anchors[event.anchor] = node
        if stack:
            _place(stack, node, document, event)
        else:
            root = node
        if kind is not yaml.ScalarEvent:
            if len(stack) >= depth:
                raise node.error(exceeded("depth", "this is nested too deep"))
            stack.append(node)  # type: ignore[arg-type]
    return root


def _as_scalar(event: Any) -> Any:
    event.value, event.style = "", None
    return event


def _aliased(anchors: dict[str, AnyNode | None], event: Any, document: Document) -> AnyNode:
    node = anchors.get(event.anchor)
    if node is None:
        raise Scalar(document, _as_scalar(event)).error(f"there is no anchor &{event.anchor} before this")
    return node


def _place(stack: list[Sequence | Mapping], node: AnyNode, document: Document, event: Any) -> None:
    """Put a node where it belongs: into the list, as the next key, or as the value of the last key."""
    parent = stack[-1] if stack else None
    if parent is None or node in stack:
        raise Scalar(document, _as_scalar(event)).error("this alias stands inside what it names")
    if isinstance(node, Scalar) or event.__class__ is yaml.AliasEvent:
        parent.size += node.size
    if isinstance(parent, Sequence):
        parent.items.append(node)
    elif parent._key is not None:
        parent.pairs[parent._key.text] = (parent._key, node)
        parent._key = None
    elif not isinstance(node, Scalar):
        raise node.error("a key must be a word")
    elif node.text in parent.pairs:
        first = parent.pairs[node.text][0]
        raise node.error(f"the key {quote(node.text)} stands twice: first in line {first.line + 1}")
    else:
        parent._key = node


def _check_size(node: AnyNode, nodes: int) -> None:
    if node.size > nodes:
        raise node.error(exceeded("nodes", "aliases make this too large"))
