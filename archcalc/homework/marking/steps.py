"""The step where an answer went wrong: the lines of a derivation that a mistake changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from archcalc.homework.grade import Diagnosis
from archcalc.homework.marking.rerun import SENSELESS, Reruns
from archcalc.homework.marking.rules import MISTAKES
from archcalc.homework.questions import Question
from archcalc.network import Network
from archcalc.render.mathematics import term_text
from archcalc.symbolic.derivations import explain
from archcalc.symbolic.symbolic_layer import Line

FeedbackWriter = Callable[[Line], str]
"""Write a line of a derivation."""
_CHANGES = {mistake.name: mistake.change for mistake in MISTAKES}


def wrong_steps(
    own: Reruns, question: Question, diagnosis: Diagnosis | None, right: Sequence[str], write: FeedbackWriter
) -> tuple[str, ...]:
    """Return the lines of the derivation with the mistake in it that differ from the right ones.

    Args:
        own: the row of the answer, on the student's own sizes.
        question: its question.
        diagnosis: the mistake; only one in applying a rule has steps.
        right: the lines of the right derivation.
        write: writes a line, with numbers or without.
    """
    change = _CHANGES.get(diagnosis.mistake) if diagnosis is not None else None
    if change is None or own.row.of_group or own.key.symbols or not question.derivation:
        return ()
    network = own.network(change)
    if network is None:
        return ()
    try:
        found = explain(network, own.row.head.name, [question.derivation], own.key.analysis.counting)
        lines = [write(line) for line in found[0].lines]
    except SENSELESS:
        return ()
    if not _gives(network, question):
        return ()
    known = {line.partition(": ")[2] or line for line in right}
    return tuple(f"with the mistake: {line}" for line in lines if line and line not in known)


def _gives(network: Network, question: Question) -> bool:
    """Return True if the derivation ends in the output that the mistake gives; some mistakes change only the output."""
    if question.derivation != "output":
        return True
    op = network.layers[0].op
    return op.remade(op.inputs, op.given).output == op.output


def hint(line: Line) -> str:
    """Return a line's formula without its numbers; empty if it has none."""
    formula = term_text(line.terms[0]) if len(line.terms) > 1 else ""
    return f"{line.symbol} = {formula}" if _is_rule(formula) else ""


def _is_rule(text: str) -> bool:
    """True if a term has symbols and only the small numbers of a rule: `768L'·B` has a size in it."""
    return not re.search(r"\d\d", text) and any(letter.isalpha() for letter in re.sub(r"\b(min|max|gcd)\b", "", text))
