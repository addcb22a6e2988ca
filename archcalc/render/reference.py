"""The reference of operators, made from their own declarations."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.errors import SpecError
from archcalc.ops import registry
from archcalc.ops.arguments import Argument, show
from archcalc.ops.operator import Operator
from archcalc.words import did_you_mean, quote


def chosen(names: Sequence[str]) -> list[type[Operator]]:
    """The operators of those names, or all, by category."""
    known = registry()
    for name in names:
        if name not in known:
            raise SpecError(f"there is no operator {quote(name)}{did_you_mean(name, known)}")
    return [known[name] for name in names] or sorted(known.values(), key=lambda operator: operator.category)


def default_text(argument: Argument) -> str:
    """What an argument is if it is not given."""
    if argument.required:
        return "required"
    return "see text" if callable(argument.default) else show(argument.default)


def summary(operator: type[Operator]) -> str:
    """The first sentence of its documentation."""
    return (operator.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").replace("``", "`")


def reference_text(names: Sequence[str] = ()) -> str:
    """The reference as text, a paragraph for each operator."""
    paragraphs = []
    for operator in chosen(names):
        lines = [f"{operator.kind} ({operator.category}): {' '.join(summary(operator).split())}"]
        for argument in operator.arguments.values():
            lines.append(f"    {argument.name} [{default_text(argument)}]: {argument.doc}; {argument.type.phrase}")
        paragraphs.append("\n".join(lines))
    return "\n".join(paragraphs) + "\n"


def reference_markdown(names: Sequence[str] = ()) -> str:
    """The reference as a page of Markdown, a line for each operator."""
    lines = [
        "# Operators",
        "",
        "Made by `archcalc operators --format markdown`, from the operators' own declarations. The first argument may",
        "stand as the head's value: `{conv: 64, kernel: 3}` is `{conv, channels: 64, kernel: 3}`; where all arguments",
        "are by name only, none may. Axes are counted without the batch: 0 is the channels.",
        "",
    ]
    lines += ["| operator | what it is | arguments |", "|---|---|---|"]
    for operator in chosen(names):
        arguments = "; ".join(
            f"`{argument.name}` ({default_text(argument)}): {argument.doc}" for argument in operator.arguments.values()
        )
        if arguments and operator.principal() is None:
            arguments = f"by name only: {arguments}"
        cells = [f"`{operator.kind}`", " ".join(summary(operator).split()), arguments]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
