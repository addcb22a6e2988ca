"""JSON: everything, numbers in full."""

from __future__ import annotations

import json

from archcalc.render.document import Document


def write(document: Document) -> str:
    """The document's plain data."""
    return json.dumps(document.data(), indent=1, ensure_ascii=False) + "\n"
