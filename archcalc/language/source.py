"""YAML as a tree of nodes with their places.

Scalars stay text: what they mean is decided where they are used. The tree is built from YAML's events with an explicit
stack, so deep input cannot overflow the call stack.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from archcalc.errors import Place, SpecError
from archcalc.language.limits import exceeded, limit
from archcalc.words import help_line, nearest, quote

MOST_BESIDE = 10_000
"""Files of a folder among which a misspelt name is looked for."""


class SpecDocument:
    """A text, its name in messages, and its path, which relative names start from (None for text)."""

    def __init__(self, text: str, file: str, path: Path | None = None) -> None:
        self.text = text
        self.file = file
        self.path = path
        self.lines = text.split("\n")

    def place(self, line: int, column: int, length: int = 1) -> Place:
        """Return a part of a line; lines and columns count from 0."""
        return Place(self.file, self.lines, line, column, length)


class YamlNode:
    """A value of the document, with its place."""

    __slots__ = ("column", "document", "end", "line", "size")

    def __init__(self, document: SpecDocument, event: Any) -> None:
        mark = event.start_mark
        self.document = document
        self.line: int = mark.line
        self.column: int = mark.column
        self.end: int = event.end_mark.column if event.end_mark.line == mark.line else -1
        self.size = 1

    @property
    def place(self) -> Place:
        """Its line and columns; of a value of several lines, its first character."""
        return self.document.place(self.line, self.column, max(self.end - self.column, 1))

    def error(self, message: str) -> SpecError:
        """Return an error at this place."""
        return SpecError(message, self.place)


class Scalar(YamlNode):
    """A word, a number or an expression, as written."""

    __slots__ = ("quoted", "text")

    def __init__(self, document: SpecDocument, event: Any) -> None:
        super().__init__(document, event)
        self.text: str = event.value
        self.quoted: bool = bool(event.style)


class Sequence(YamlNode):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, document: SpecDocument, event: Any) -> None:
        super().__init__(document, event)
        self.items: list[AnyNode] = []


class Mapping(YamlNode):
    """Keys and their values, in order."""

    __slots__ = ("_key", "pairs")

    def __init__(self, document: SpecDocument, event: Any) -> None:
        super().__init__(document, event)
        self.pairs: dict[str, tuple[Scalar, AnyNode]] = {}
        self._key: Scalar | None = None

    def get(self, key: str) -> AnyNode | None:
        """Return the value of a key; None if it is not there."""
        pair = self.pairs.get(key)
        return pair[1] if pair else None

    def __iter__(self) -> Iterator[tuple[Scalar, AnyNode]]:
        return iter(self.pairs.values())


AnyNode: TypeAlias = "Scalar | Sequence | Mapping"


def is_empty(node: AnyNode | None) -> bool:
    """True if there is no value, as in `relu:` and `{relu}`."""
    return node is None or (isinstance(node, Scalar) and not node.quoted and node.text in ("", "~", "null"))


def items_of(node: AnyNode) -> list[AnyNode]:
    """Return the items of a list; any other value alone."""
    return node.items if isinstance(node, Sequence) else [node]


def _beside(path: Path) -> str:
    """Return a help line with the file in the same folder that has the nearest name."""
    try:
        names = sorted(os.listdir(path.parent))
    except (OSError, ValueError):
        return ""
    suffix = path.suffix or ".yaml"
    guess = nearest(path.stem, [name.removesuffix(suffix) for name in names[:MOST_BESIDE] if name.endswith(suffix)])
    return "" if guess is None else help_line(f"did you mean {quote(guess + suffix)}?")


def read_document(path: Path) -> SpecDocument:
    """Read a file; raise `SpecError` if it is not a text file that can be read."""
    file = str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SpecError(f"expected a file, got a directory: {file}")
        if not stat.S_ISREG(status.st_mode):
            raise SpecError(f"expected a regular file, got a pipe or device: {file}")
        if status.st_size > limit("bytes"):
            raise SpecError(exceeded("bytes", f"{file} has {status.st_size:,} bytes"))
        with open(path, "rb") as stream:
            raw = stream.read(limit("bytes") + 1)
    except FileNotFoundError:
        raise SpecError(f"there is no file {file}{_beside(path)}") from None
    except SpecError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(f"{file} cannot be read: {reason}") from None
    return SpecDocument(decode(raw, file), os.path.relpath(path) if path.is_absolute() else file, path)


def spec_text(spec: Dictionary[str, Any]) -> str:
    """Return a spec that is a dict, with lists, words and numbers in it, as YAML.

    Raises `SpecError` if something else is in it.
    """
    try:
        return yaml.dump(_plain(spec), Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True)
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(f"a spec has dicts, lists, words and numbers only: {str(error).splitlines()[0]}") from None


def _plain(value: Any) -> Any:
    """Return tuples and arrays as lists, mappings as dicts, and numbers of NumPy as those of Python."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Dictionary):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def decode(raw: bytes, file: str) -> str:
    """Return bytes as text; raise `SpecError` if they are not UTF-8."""
    if len(raw) > limit("bytes"):
        raise SpecError(exceeded("bytes", f"{file} is too large"))
    if not raw.strip():
        raise SpecError(f"{file} is empty")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"expected UTF-8, got UTF-16: {file}{help_line('save it as UTF-8')}")
    if b"\0" in raw:
        raise SpecError(f"expected a spec, got a binary file: {file}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError(
            f"{file} is not UTF-8: byte {error.start} in line {line}{help_line('save it as UTF-8')}"
        ) from None


def parse(document: SpecDocument) -> Mapping:
    """Return the tree of a document; raise `SpecError` if it is not YAML or crosses a limit."""
    try:
        root = _compose(document)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(document, error) from None
    except yaml.reader.ReaderError as error:
        raise SpecError(f"invalid YAML: {error.reason}", _place_of(document, error.position)) from None
    except UnicodeEncodeError as error:  # half of a pair of UTF-16, which a page's script may send
        raise SpecError(f"invalid YAML: {error.reason}", _place_of(document, error.start)) from None
    if root is None:
        raise SpecError(f"{document.file} is empty: it has only comments")
    if not isinstance(root, Mapping):
        raise root.error("expected a mapping with name, input and layers")
    return root


def _place_of(document: SpecDocument, position: int) -> Place:
    """Return the place of a character by its number in the text."""
    line = document.text[:position].count("\n")
    column = position - (document.text.rfind("\n", 0, position) + 1)
    return document.place(line, column)


def _not_yaml(document: SpecDocument, error: yaml.MarkedYAMLError) -> SpecError:
    """Return an error of the YAML parser in plain words, at the place of its cause."""
    if "nesting depth" in str(error.problem):  # PyYAML has a limit of its own
        return SpecError(exceeded("depth", "this is nested too deep"))
    start, mark = error.context_mark, error.problem_mark or error.context_mark
    opened = _unclosed(document.lines, start.line, start.column) if start is not None else None
    if opened is not None:
        line, column = opened
        bracket = document.lines[line][column]
        return SpecError(f"invalid YAML: this {bracket} is never closed", document.place(line, column))
    if mark is None:
        return SpecError(f"invalid YAML: {error.problem}")
    problem = ": ".join(part for part in (error.context, error.problem) if part)
    hint = _hint(document.lines[mark.line] if mark.line < len(document.lines) else "", mark.column)
    return SpecError(f"invalid YAML: {problem}{hint}", document.place(mark.line, mark.column))


def _hint(line: str, column: int) -> str:
    """Return a fix for a line in which the parser stopped at that column."""
    if "\t" in line:
        return help_line("indent by spaces: this line has a tab")
    start = column
    while start > 0 and (line[start - 1].isalnum() or line[start - 1] in "_."):
        start -= 1
    if line[column : column + 1] == "[" and start < column:
        expression = line[start:column] + line[column:].partition("]")[0][:60] + "]"
        return help_line(f'inside braces, quote an expression with brackets: "{expression}"')
    return ""


_CLOSES = {"}": "{", "]": "["}


def _unclosed(lines: list[str], line: int, column: int) -> tuple[int, int] | None:
    """Return the line and column of the unclosed bracket at or after this one; None if all are closed."""
    if line >= len(lines) or lines[line][column : column + 1] not in ("{", "["):
        return None
    opened: list[tuple[int, int]] = []
    quoted = ""
    for number in range(line, len(lines)):
        start = column if number == line else 0
        before = " "
        for position, character in enumerate(lines[number][start:], start):
            if quoted:
                quoted = "" if character == quoted else quoted
            elif character == "#" and before == " ":
                break
            elif character in "'\"" and before in " {[,:":
                quoted = character
            elif character in "{[":
                opened.append((number, position))
            elif character in _CLOSES:
                last, place = opened.pop()
                if lines[last][place] != _CLOSES[character]:
                    return last, place
                if not opened:
                    return None
            before = character
    return opened[-1] if opened and not quoted else None


def _compose(document: SpecDocument) -> AnyNode | None:
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
                raise YamlNode(document, event).error("expected one YAML document, and a second starts here")
            continue
        else:
            continue
        if event.tag is not None and not (kind is yaml.ScalarEvent and event.tag == "!"):
            raise node.error(f"YAML tags such as {quote(event.tag)} are unsupported")
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


def _aliased(anchors: dict[str, AnyNode | None], event: Any, document: SpecDocument) -> AnyNode:
    node = anchors.get(event.anchor)
    if node is None:
        raise YamlNode(document, event).error(f"unknown anchor &{event.anchor}: it must come before this alias")
    return node


def _place(stack: list[Sequence | Mapping], node: AnyNode, document: SpecDocument, event: Any) -> None:
    """Add a node to its parent: to a list, as the next key, or as the value of the last key."""
    parent = stack[-1] if stack else None
    if parent is None or node in stack:
        raise YamlNode(document, event).error("this alias is inside the value that it names")
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
        raise node.error(f"duplicate key {quote(node.text)}: it is first set in line {first.line + 1}")
    else:
        parent._key = node


def _check_size(node: AnyNode, nodes: int) -> None:
    if node.size > nodes:
        raise node.error(exceeded("nodes", "aliases make this too large"))
