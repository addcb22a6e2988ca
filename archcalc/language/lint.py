"""Check a spec in all its variants, and correct it where only one correction is possible."""

from __future__ import annotations

from collections.abc import Iterable

from archcalc.errors import Diagnostic, Fix, SpecError
from archcalc.language.language import Spec
from archcalc.language.library import open_document
from archcalc.language.rules import RULES, UNREAD, warnings
from archcalc.language.source import SpecDocument
from archcalc.language.synonyms import means
from archcalc.structs import replace
from archcalc.words import help_line, split_help, suggested

OPEN_SIZE = 6720
"""Value for the first free dimension, `H` of `input: [3, H, W]`; the second is twice as large, and so on.

It is 2⁶·3·5·7: larger than most kernels, and a multiple of most strides, windows and groups.
"""
PASSES = 20
"""Times that a spec is corrected and checked again: one correction may show what needs another."""


def lint_document(document: SpecDocument) -> list[Diagnostic]:
    """Return every error and every warning of a spec and its variants."""
    try:
        found = _diagnostics(open_document(document))
    except SpecError as error:
        found = error.diagnostics
    return list(dict.fromkeys(_coded(diagnostic, document) for diagnostic in found))


def _diagnostics(spec: Spec) -> Iterable[Diagnostic]:
    variants: list[str | None] = [*spec.variants]
    for variant in variants or [None]:
        settings = {name: OPEN_SIZE * number for number, name in enumerate(spec.free_dimensions(variant), 1)}
        try:
            diagnostics: Iterable[Diagnostic] = warnings(spec.network(variant, settings))
        except SpecError as error:
            diagnostics = error.diagnostics
        tried = ", ".join(f"{name}={size}" for name, size in settings.items())
        for diagnostic in diagnostics:
            if tried and diagnostic.code == UNREAD:
                continue  # the sizes that are tried need not be those that are meant
            if tried:
                statement, fix = split_help(diagnostic.message)
                diagnostic = replace(diagnostic, message=f"{statement} (tried with {tried}){help_line(fix)}")
            yield diagnostic


def _coded(diagnostic: Diagnostic, document: SpecDocument) -> Diagnostic:
    """Return a diagnostic with its code, and with its corrections if they are in the document itself."""
    place = diagnostic.place
    is_here = place is not None and place.lines is document.lines
    code = diagnostic.coded().code
    return replace(
        diagnostic,
        code=code if code in RULES else "A004",
        fixes=(diagnostic.fixes or _spelling(diagnostic)) if is_here else (),
    )


def _spelling(diagnostic: Diagnostic) -> tuple[Fix, ...]:
    """Return the correction of a word that is spelled as no known one, if it is what the place shows."""
    place, words = diagnostic.place, suggested(diagnostic.message)
    if place is None or words is None:
        return ()
    written, meant = words
    if means(written, meant) and place.lines[place.line][place.column :].startswith(written):
        return (Fix(place.line, place.column, len(written), meant),)
    return ()


def fixed(document: SpecDocument, chosen: Iterable[str] | None = None) -> tuple[str, int]:
    """Return the text of a spec with all corrections, and their number.

    ``chosen`` are the codes to correct; None for all. A correction that makes another error is not made.
    """
    count, codes = 0, None if chosen is None else frozenset(chosen)
    for _ in range(PASSES):
        found = lint_document(document)
        fixes = {fix for diagnostic in found for fix in diagnostic.fixes if codes is None or diagnostic.code in codes}
        if not fixes:
            break
        after = SpecDocument(_edited(document.lines, fixes), document.file, document.path)
        left = lint_document(after)
        if _errors(left) > _errors(found) or (_errors(left) == _errors(found) and len(left) >= len(found)):
            break
        document, count = after, count + len(fixes)
    return document.text, count


def _errors(found: Iterable[Diagnostic]) -> int:
    return sum(not diagnostic.is_warning for diagnostic in found)


def _edited(lines: Iterable[str], fixes: Iterable[Fix]) -> str:
    """Return the lines with the changes, which do not overlap."""
    written = list(lines)
    for fix in sorted(fixes, key=lambda fix: (fix.line, fix.column), reverse=True):
        line = written[fix.line]
        written[fix.line] = line[: fix.column] + fix.text + line[fix.column + fix.length :]
    return "\n".join(written)
