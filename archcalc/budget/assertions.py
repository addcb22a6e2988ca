"""Assertions about a network, in the spec's own expression language: `params <= 5e6`, `output == [10]`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from archcalc.analysis.costs import Analysis
from archcalc.budget.facts import UNITS, Facts
from archcalc.errors import Place, SpecError
from archcalc.language.expression import parse_expression
from archcalc.language.source import SpecDocument, read_document
from archcalc.language.values import ExpressionError, Record, ShapeValue
from archcalc.structs import Struct
from archcalc.words import quote

MOST_ASSERTIONS = 1000


class Assertion(Struct):
    """An expression that must be true, and where it is written."""

    text: str
    place: Place


class Outcome(Struct):
    """The result of checking an assertion."""

    assertion: Assertion
    passed: bool
    actual: Mapping[str, Any]
    """Each measured part of it, as written, with its value."""
    margin: int | Fraction | float | None
    """The distance to the limit, negative beyond it; None if the assertion does not compare numbers by order."""
    limit: int | Fraction | float | None
    """The limit of the margin; None if there is none."""
    estimated: bool = False
    """True if it was checked against an estimate: the memory of a layer is not modelled."""


class Budget(Struct):
    """The assertions about one network, checked."""

    reference: str
    """The network, as the user named it."""
    analysis: Analysis | None
    outcomes: tuple[Outcome, ...] = ()
    problem: str = ""
    """Why nothing was checked: the error in the spec or in an assertion; empty if there is none."""

    @property
    def passed(self) -> bool:
        """True if every assertion holds."""
        return not self.problem and all(outcome.passed for outcome in self.outcomes)


def read_assertions(texts: Sequence[str], file: str | None = None) -> list[Assertion]:
    """Read the assertions of a command line and of a file.

        file = {[EXPRESSION] ["#" COMMENT] "\n"}

    Raises `SpecError` with the place of an invalid expression, or if the file has no assertion.
    """
    documents = [SpecDocument("\n".join(text.replace("\n", " ") for text in texts), "assertion")] if texts else []
    if file is not None:
        documents.append(read_document(Path(file)))
    found: list[Assertion] = []
    for document in documents:
        before = len(found)
        for line, whole in enumerate(document.lines):
            text = whole.strip() if document.path is None else whole.split("#")[0].strip()
            if document.path is not None and not text:
                continue
            column = len(whole) - len(whole.lstrip())
            assertion = Assertion(text, document.place(line, column, max(len(text), 1)))
            _parse(assertion)
            found.append(assertion)
            if len(found) > MOST_ASSERTIONS:
                raise SpecError(f"more than {MOST_ASSERTIONS:,} assertions", assertion.place)
        if len(found) == before:
            raise SpecError(f"{document.file} has no assertions, only comments")
    return found


def check_budget(reference: str, analysis: Analysis, assertions: Sequence[Assertion]) -> Budget:
    """Check the assertions.

    Raises `SpecError` with the place of an assertion that cannot be evaluated.
    """
    facts = Facts(analysis)
    return Budget(reference, analysis, tuple(_check(assertion, facts) for assertion in assertions))


def _check(assertion: Assertion, facts: Facts) -> Outcome:
    passed = _evaluate(assertion, assertion.text, 0, facts)
    if not isinstance(passed, bool):
        raise SpecError(
            f"{quote(assertion.text)} is not an assertion; compare it with a value, for example params <= 5e6",
            assertion.place,
        )
    tree = ast.parse(assertion.text, mode="eval").body
    actual = {}
    for node in _measured(tree):
        text, offset = _source(assertion, node)
        value = _evaluate(assertion, text, offset, facts)
        if isinstance(value, Record):
            place = assertion.place.shifted(offset, len(text))
            raise SpecError(f"{quote(text)} is not a number; name a quantity of it, for example {text}.params", place)
        actual[text] = list(value.known()) if isinstance(value, ShapeValue) else value
    margin, limit = _margin(assertion, tree, facts)
    estimated = any(facts.estimates(node.id) for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Outcome(assertion, passed, actual, margin, limit, estimated)


def _measured(tree: ast.AST) -> list[ast.expr]:
    """Return the sides of comparisons that name a quantity; the whole expression if there is no comparison."""
    sides = [
        side
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if _names(side)
    ]
    return sides or ([tree] if isinstance(tree, ast.expr) and _names(tree) else [])


def _names(node: ast.AST) -> bool:
    """True if it names a quantity of the network."""
    return any(isinstance(part, ast.Name) and part.id not in UNITS for part in ast.walk(node))


def _margin(assertion: Assertion, tree: ast.AST, facts: Facts) -> tuple[Any, Any]:
    """Return the distance to the nearest limit, and the limit, of one chain of `<`, `<=`, `>` and `>=`."""
    if not isinstance(tree, ast.Compare):
        return None, None
    nodes = [tree.left, *tree.comparators]
    sides = [_evaluate(assertion, *_source(assertion, node), facts) for node in nodes]
    if not all(isinstance(side, (int, float, Fraction)) and not isinstance(side, bool) for side in sides):
        return None, None
    margins = []
    for index, comparison in enumerate(tree.ops):
        if not isinstance(comparison, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
            return None, None
        left, right = sides[index], sides[index + 1]
        limit = left if _names(nodes[index + 1]) and not _names(nodes[index]) else right
        margins.append((right - left if isinstance(comparison, (ast.Lt, ast.LtE)) else left - right, limit))
    return min(margins, key=lambda margin: margin[0])


def _source(assertion: Assertion, node: ast.expr) -> tuple[str, int]:
    """Return a part of an assertion as written, and its offset."""
    text = ast.get_source_segment(assertion.text, node) or assertion.text
    return text, len(assertion.text.encode()[: node.col_offset].decode(errors="ignore"))


def _parse(assertion: Assertion) -> None:
    try:
        parse_expression(assertion.text)
    except ExpressionError as error:
        raise SpecError(str(error), assertion.place.shifted(error.offset, error.length)) from None


def _evaluate(assertion: Assertion, text: str, offset: int, facts: Facts) -> Any:
    try:
        return parse_expression(text).evaluate(facts)
    except ExpressionError as error:
        raise SpecError(str(error), assertion.place.shifted(offset + error.offset, error.length)) from None
