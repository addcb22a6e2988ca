"""Answers to a page's questions, as plain data. They are computed in a worker process."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archcalc.errors import Diagnostic, SpecError, UserError
from archcalc.language.rules import warnings
from archcalc.language.source import Scalar
from archcalc.render.writers import write_document
from archcalc.serve.completion import complete
from archcalc.serve.exercises import grade
from archcalc.serve.opened import FILE, Opened
from archcalc.serve.panels import download, field_image, layer_html, page_html, panel
from archcalc.serve.tables import table_of
from archcalc.serve.view import Message
from archcalc.words import printable, quote, split_help

Answer = dict[str, Any]
"""What it is (`kind`), and what the page needs to show it."""


def answers(message: Message, path: Path | None = None) -> Iterator[Answer]:
    """Yield the answers to a message, the quickest first.

    Args:
        message: the question.
        path: the file that is edited, if the text is this user's own; only then may `extends` name files beside it.
    """
    try:
        for answer in _ASKS[message.ask](message, path):
            yield {**answer, "number": message.number}
    except UserError as error:
        yield {"kind": "refused", "says": error.report(), "number": message.number}


def _show(message: Message, path: Path | None) -> Iterator[Answer]:
    opened = Opened(message.text, message.view, path)
    try:
        _ = opened.analysis
        # A drawing is laid out by another process, so it begins before the table is written.
        first, second = (_panel, _table) if message.view.panel == "drawing" else (_table, _panel)
        yield first(opened, message, path)
        yield second(opened, message, path)
    except SpecError as error:
        yield {"kind": "mistakes", "marks": [_mark(each) for each in error.diagnostics], "html": _why(error)}
        return
    except UserError as error:
        yield {"kind": "mistakes", "marks": [_mark(Diagnostic(str(error)))], "html": ""}
        return
    if message.view.layer:
        yield from _layer(opened)


def _table(opened: Opened, message: Message, path: Path | None) -> Answer:
    return {
        "kind": "table",
        "html": str(write_document(table_of(opened), "html")),
        "marks": [_mark(diagnostic) for diagnostic in (*warnings(opened.network), *_refused(opened, message.shared))],
        "sliders": opened.sliders(),
        "variants": list(opened.spec.variants),
        "lines": opened.lines(),
        "name": printable(opened.network.name),
    }


def _panel(opened: Opened, message: Message, path: Path | None) -> Answer:
    kept = None if message.kept is None else Opened(*message.kept, path)
    try:
        shown = panel(opened, kept)
    except UserError as error:
        shown = {"problem": error.report()}
    return {"kind": "panel", "panel": message.view.panel, **shown}


def _refused(opened: Opened, shared: bool) -> Iterator[Diagnostic]:
    """Yield what a text that came by a link may not name, though nothing on the page would run it."""
    named = opened.spec.variant(opened.variant).get("reference")
    if shared and isinstance(named, Scalar) and named.place.file == FILE:
        says = f"refused: a reference that came by a link, such as {quote(named.text)}, is never run"
        yield Diagnostic(says, named.place, is_warning=True)


def _layer(opened: Opened) -> Iterator[Answer]:
    name = opened.view.layer
    try:
        yield {"kind": "layer", "layer": name, "html": layer_html(opened)}
    except UserError as error:
        yield {"kind": "layer", "layer": name, "problem": error.report()}
        return
    yield {"kind": "field", "layer": name, "image": field_image(opened)}


def _complete(message: Message, path: Path | None) -> Iterator[Answer]:
    words = complete(message.text, message.line, message.column)
    yield {"kind": "words", "words": [word._asdict() for word in words]}


def _download(message: Message, path: Path | None) -> Iterator[Answer]:
    opened = Opened(message.text, message.view, path)
    suffix, content = download(opened, message.name)
    name = "".join(each if each.isalnum() or each in "-_" else "_" for each in opened.network.name)[:80] or "network"
    yield {"kind": "file", "name": name + suffix, "content": base64.b64encode(content).decode()}


def _grade(message: Message, path: Path | None) -> Iterator[Answer]:
    yield {"kind": "grades", **grade(Opened(message.text, message.view, path), message.answers)}


def _open(message: Message, path: Path | None) -> Iterator[Answer]:
    from archcalc.language.library import bundled, plain
    from archcalc.words import did_you_mean

    name = plain(message.name)
    if name not in bundled():
        raise UserError(f"there is no bundled network {quote(message.name)}{did_you_mean(name, bundled())}")
    file, variant = bundled()[name]
    yield {"kind": "text", "text": file.read_text(encoding="utf-8"), "variant": variant or ""}


_ASKS = {"show": _show, "complete": _complete, "download": _download, "open": _open, "grade": _grade}


def _mark(diagnostic: Diagnostic) -> Answer:
    """Return a mistake with its place; of one in another file, or without a place, the first line."""
    statement, fix = split_help(diagnostic.message)
    place = diagnostic.place
    here = place if place is not None and place.file == FILE else None
    return {
        "line": here.line if here else 0,
        "column": here.column if here else 0,
        "length": here.length if here else 0,
        "says": printable(statement if place is here else f"{place}: {statement}"),
        "help": printable(fix),
        "warning": diagnostic.is_warning,
    }


def _why(error: SpecError) -> str:
    """Return why sizes do not fit, as `archcalc explain` says it."""
    from archcalc.render.mathematics import explanations_document
    from archcalc.symbolic.derivations import explain_failure

    calls = [diagnostic.call for diagnostic in error.diagnostics if diagnostic.call is not None]
    if not calls:
        return ""
    return page_html(explanations_document([each for call in calls[:3] for each in explain_failure(call)]))
