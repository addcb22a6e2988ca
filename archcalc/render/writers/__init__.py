"""Documents to files: one module per format.

A writer has `FORMAT`, the names of the format, and `write(document)`, which returns a string that ends with a line
break, or bytes. Nothing else lists it. All writers are imported to name the formats, so they import what takes
long when they write.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

from archcalc.discovery import module_names
from archcalc.render.document import Document
from archcalc.render.format import Format


@cache
def _writers() -> dict[str, ModuleType]:
    modules = [import_module(f"{__name__}.{name}") for name in module_names(__path__)]
    return {module.FORMAT.name: module for module in sorted(modules, key=lambda writer: writer.FORMAT.name != "text")}


def formats() -> dict[str, Format]:
    """Return every format of documents by name, `text` first."""
    return {name: writer.FORMAT for name, writer in _writers().items()}


def write_document(document: Document, format: str) -> str | bytes:
    """Return the document in a format."""
    written: str | bytes = _writers()[format].write(document)
    return written
