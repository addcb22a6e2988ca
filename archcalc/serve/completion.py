"""Completion in the editor: the words of the schema that fit at the cursor, with their explanations.

The text is usually not a valid spec while somebody types, so the place is found by the lines before the cursor, not by
parsing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from archcalc.language.limits import limit
from archcalc.language.schema import MODIFIER_SCHEMAS, Schema, spec_schema
from archcalc.ops import registry

_KEY = re.compile(r"\b([A-Za-z_]\w*)\s*:")
_VALUE = re.compile(r"\b([A-Za-z_]\w*)\s*:\s*(?:\[[^\][{]*)?[\w.]*$")
_SECTION = re.compile(r"^([A-Za-z_]\w*):")


class Word(NamedTuple):
    """A proposal."""

    text: str
    kind: str
    """What it is: key, operator, block, argument, value, parameter."""
    says: str


def complete(text: str, line: int, column: int) -> list[Word]:
    """Return the words that fit at a place in the text, which counts from 0."""
    lines = text[: limit("bytes")].split("\n")
    if line >= len(lines):
        return []
    before = lines[line][:column]
    section = _section(lines, line)
    if not before[:1].isspace() and ":" not in before and not before.startswith("-"):
        return _key_words(_schema()["properties"])
    step = _step_of(lines, line, before)
    argument = _VALUE.search(before)
    heads = _heads(text)
    if argument and step is not None:
        return _values(argument.group(1), step) + _names(text)
    given = [] if step is None else _KEY.findall(step)
    head = next((key for key in given if key in heads), None)
    if head is not None:
        return [word for word in _arguments(head, heads) if word.text not in given]
    if section == "blocks" and step is None:
        return _key_words(_schema()["properties"]["blocks"]["additionalProperties"]["properties"])
    if section in ("layers", "blocks", "append", "insert", "replace"):
        return [*heads.values(), *_key_words(MODIFIER_SCHEMAS)]
    return _names(text)


@cache
def _schema() -> Schema:
    return spec_schema()


def _key_words(schemas: Mapping[str, Schema]) -> list[Word]:
    """Return keys with what their schemas say of them."""
    return [Word(key, "key", _says(each)) for key, each in schemas.items()]


@cache
def _operators() -> dict[str, Word]:
    definitions = _schema()["$defs"]
    found = {kind: Word(kind, "operator", _says(definitions[f"operator_{kind}"])) for kind in registry()}
    for name in definitions:
        if name.startswith("special_"):
            head = name.removeprefix("special_")
            found[head] = Word(head, "key", _says(definitions[name]["properties"][head]))
    return found


def _heads(text: str) -> dict[str, Word]:
    """Return every word that a step may begin with: operators, and the blocks of the text."""
    blocks = {name: Word(name, "block", "A block of this spec.") for name in _below(text, "blocks")}
    return {**_operators(), **blocks}


def _arguments(head: str, heads: dict[str, Word]) -> list[Word]:
    words = _key_words(MODIFIER_SCHEMAS)
    definition = _schema()["$defs"].get(f"operator_{head}")
    if definition is None or heads[head].kind != "operator":
        return words
    own = [
        Word(key, "argument", _says(each) + (f" Default: {each['default']}." if "default" in each else ""))
        for key, each in definition["properties"].items()
        if key != head and key not in MODIFIER_SCHEMAS
    ]
    return own + words


def _values(argument: str, step: str) -> list[Word]:
    """Return the words that an argument can be."""
    for head in _KEY.findall(step):
        properties = _schema()["$defs"].get(f"operator_{head}", {}).get("properties", {})
        if argument in properties:
            return [Word(value, "value", f"A value of {argument}.") for value in _words_in(properties[argument])]
    return []


def _words_in(schema: Any) -> list[str]:
    """Return the words that a schema lists, true and false included."""
    if not isinstance(schema, dict):
        return []
    own = [value for value in (*schema.get("enum", ()), schema.get("const")) if isinstance(value, (str, bool))]
    if schema.get("type") == "boolean":
        own += [True, False]
    words = [str(value).lower() if isinstance(value, bool) else value for value in own]
    inside = [each for option in schema.get("anyOf", ()) for each in _words_in(option)]
    return list(dict.fromkeys([*words, *inside]))


def _names(text: str) -> list[Word]:
    return [Word(name, "parameter", "A parameter of this spec.") for name in _below(text, "params")]


def _below(text: str, key: str) -> list[str]:
    """Return the keys directly below a top-level key, by their indentation."""
    match = re.search(rf"^{key}:[^\n]*\n((?:[ \t#][^\n]*\n|\n)*)", text + "\n", re.MULTILINE)
    if match is None:
        return []
    inside = match.group(1)
    indents = [_indent(line) for line in inside.split("\n") if line.strip() and line.strip()[0] != "#"]
    least = min(indents, default=0)
    return list(dict.fromkeys(re.findall(rf"^ {{{least}}}([A-Za-z_]\w*):", inside, re.MULTILINE)))


def _section(lines: list[str], line: int) -> str | None:
    """Return the top-level key that a line is under."""
    for number in range(line, -1, -1):
        match = _SECTION.match(lines[number])
        if match:
            return match.group(1)
    return None


def _step_of(lines: list[str], line: int, before: str) -> str | None:
    """Return the text of the step around the cursor, from its beginning to the cursor; None outside of a step."""
    opened = _last_open(before)
    if opened is not None:
        return before[opened:]
    indent = _indent(before)
    for number in range(line, -1, -1):
        text = before if number == line else lines[number]
        if text.lstrip().startswith("- ") and (number == line or _indent(text) < indent):
            beside = [each for each in lines[number + 1 : line] if _indent(each) == indent]
            return "\n".join([text.lstrip()[2:], *beside, *([before] if number < line else [])])
        if text.strip() and number < line and _indent(text) < indent:
            return None
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _last_open(before: str) -> int | None:
    """Return the offset after the last brace that is still open."""
    depth = 0
    for offset in range(len(before) - 1, -1, -1):
        if before[offset] == "}":
            depth += 1
        elif before[offset] == "{":
            if depth == 0:
                return offset + 1
            depth -= 1
    return None


def _says(schema: Any) -> str:
    return str(schema.get("description", "")) if isinstance(schema, dict) else ""
