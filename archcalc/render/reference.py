"""The reference of operators as a document, made from their own declarations."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.errors import SpecError
from archcalc.ops import registry
from archcalc.ops.arguments import show
from archcalc.ops.declaring import Argument
from archcalc.ops.operator import Operator
from archcalc.render.document import Document, Item, ItemList, Records
from archcalc.words import did_you_mean, quote


def chosen(names: Sequence[str]) -> list[type[Operator]]:
    """Return the operators of these names, or all by category."""
    known = registry()
    for name in names:
        if name not in known:
            raise SpecError(f"unknown operator {quote(name)}{did_you_mean(name, known)}")
    return [known[name] for name in names] or sorted(known.values(), key=lambda operator: operator.category)


def default_text(argument: Argument) -> str:
    """Return the default of an argument."""
    if argument.required:
        return "required"
    return "see text" if callable(argument.default) else show(argument.default)


def reference_document(names: Sequence[str] = ()) -> Document:
    """Return a list of operators, each with its arguments; the records have a row for each argument."""
    operators = chosen(names)
    return Document("operators", (ItemList(tuple(map(_item, operators))),), sheet=lambda: _records(operators))


def _item(operator: type[Operator]) -> Item:
    named_only = bool(operator.arguments) and operator.principal() is None
    return Item(
        f"{operator.kind} ({operator.category}{', arguments by name only' if named_only else ''})",
        operator.summary(),
        tuple(
            f"{argument.name} [{default_text(argument)}]: {argument.doc}; {argument.type.phrase}"
            for argument in operator.arguments.values()
        ),
    )


def _records(operators: Sequence[type[Operator]]) -> Records:
    heading = ["operator", "category", "summary", "argument", "default", "meaning", "type"]
    rows = [
        [operator.kind, operator.category, operator.summary(), *argument]
        for operator in operators
        for argument in [
            [argument.name, default_text(argument), argument.doc, argument.type.phrase]
            for argument in operator.arguments.values()
        ]
        or [[""] * 4]
    ]
    return [heading, *rows]
