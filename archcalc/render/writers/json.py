"""JSON: the plain data of a document, numbers in full."""

from __future__ import annotations

from archcalc.render.document import Document
from archcalc.render.format import Format

FORMAT = Format("json", (".json",), "everything, for programs")


def write(document: Document) -> str:
    """Return the document's data; letters are as they are, and what could steer a terminal is escaped."""
    import json

    lines = json.dumps(document.plain_data(), indent=1, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines) + "\n"


def _escaped(line: str) -> str:
    import json

    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)
