"""Documents to files: one module per format, which has `write(document)`; a format is there by having a module."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from archcalc.render.document import Document


def formats() -> tuple[str, ...]:
    """Names of all formats."""
    return tuple(module.name for module in pkgutil.iter_modules(__path__))


def write_document(document: Document, format: str) -> str | bytes:
    """The document in a format, ending with a line's end; bytes of a format that is no text."""
    written: str | bytes = import_module(f"{__name__}.{format}").write(document)
    return written
