"""Checked assertions as text, JSON and JUnit XML, and the names that an assertion may use."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archcalc.quantities.contract import number
from archcalc.quantities.table import FACTS
from archcalc.render.mathematics import number_text
from archcalc.render.table import title_of
from archcalc.render.text import cells_wide, pad
from archcalc.words import printable

if TYPE_CHECKING:
    from archcalc.analysis import Analysis
    from archcalc.budget.assertions import Budget, Outcome


def value_text(value: Any) -> str:
    """A value as people read it: `11,689,512`, `[1000]`, `true`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Fraction)):
        return number_text(value).replace("-", "−")
    if isinstance(value, float):
        return f"{value:,.6g}".replace("-", "−")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(str(one) for one in value)}]"
    return printable(str(value))


def margin_text(outcome: Outcome) -> str:
    """What is left to the limit, and its part of the limit: `margin 3,310,488 (66.2 %)`."""
    if outcome.margin is None:
        return ""
    share = ""
    if outcome.limit:
        tenths = round(1000 * Fraction(outcome.margin) / abs(Fraction(outcome.limit)))
        share = f" ({'−' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10} %)"
    return f"margin {value_text(outcome.margin)}{share}"


def budgets_text(budgets: Sequence[Budget]) -> str:
    """A paragraph for each network, a line for each assertion, and how many fail."""
    lines: list[str] = []
    for budget in budgets:
        if budget.analysis is None:
            lines += [f"{printable(budget.reference)}: not checked", budget.problem, ""]
            continue
        analysis = budget.analysis
        lines.append(printable(f"{title_of(analysis)} · flops: {analysis.convention.name}"))
        rows = [_cells(outcome) for outcome in budget.outcomes]
        widths = [max((cells_wide(row[at]) for row in rows), default=0) for at in range(4)]
        lines += ["  ".join(pad(cell, widths[at], False) for at, cell in enumerate(row)).rstrip() for row in rows]
        lines.append("")
    outcomes = [outcome for budget in budgets for outcome in budget.outcomes]
    failed = sum(not outcome.passed for outcome in outcomes)
    broken = sum(bool(budget.problem) for budget in budgets)
    lines.append(f"{_count(len(outcomes), 'assertion')}, {failed} failed")
    if broken:
        lines[-1] += f"; {_count(broken, 'network')} not checked"
    return "\n".join(lines) + "\n"


def _cells(outcome: Outcome) -> list[str]:
    actual = ", ".join(f"{printable(text)} = {value_text(value)}" for text, value in outcome.actual.items())
    return [
        "ok" if outcome.passed else "FAILED",
        printable(outcome.assertion.text),
        actual,
        margin_text(outcome),
    ]


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def budgets_json(budgets: Sequence[Budget]) -> str:
    """All of it as JSON; a number that is no whole one is a decimal."""
    import json

    return json.dumps({"networks": [_data(budget) for budget in budgets]}, indent=1, ensure_ascii=False) + "\n"


def _data(budget: Budget) -> dict[str, Any]:
    data: dict[str, Any] = {"reference": budget.reference, "passed": budget.passed}
    if budget.analysis is not None:
        analysis = budget.analysis
        data |= _of(analysis)
    if budget.problem:
        data["problem"] = budget.problem
    data["assertions"] = [
        {
            "assertion": outcome.assertion.text,
            "passed": outcome.passed,
            "actual": {text: _json_value(value) for text, value in outcome.actual.items()},
            "margin": _json_value(outcome.margin),
            "limit": _json_value(outcome.limit),
        }
        for outcome in budget.outcomes
    ]
    return data


def _of(analysis: Analysis) -> dict[str, Any]:
    return {
        "network": analysis.network.name,
        "input": {name: list(shape) for name, shape in analysis.network.inputs.items()},
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "convention": analysis.convention.name,
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_json_value(one) for one in value]
    return number(value) if isinstance(value, Fraction) else value


def budgets_junit(budgets: Sequence[Budget]) -> str:
    """A JUnit report: a suite for each network, a case for each assertion."""
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.Element("testsuites", name="archcalc budget")
    for budget in budgets:
        broken = bool(budget.problem)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(budget.reference),
            tests=str(len(budget.outcomes) + broken),
            failures=str(sum(not outcome.passed for outcome in budget.outcomes)),
            errors=str(int(broken)),
        )
        if broken:
            case = ElementTree.SubElement(suite, "testcase", classname=printable(budget.reference), name="spec")
            first = budget.problem.splitlines()[0]
            ElementTree.SubElement(case, "error", message=printable(first)).text = printable(budget.problem, keep="\n")
        for outcome in budget.outcomes:
            status, text, actual, margin = _cells(outcome)
            case = ElementTree.SubElement(suite, "testcase", classname=printable(budget.reference), name=text)
            if not outcome.passed:
                message = "; ".join(filter(None, (actual, margin)))
                ElementTree.SubElement(case, "failure", message=message).text = f"{status}: {text}\n{message}"
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def facts_json(analyses: Sequence[Analysis]) -> str:
    """Every name that an assertion may use of a network as a whole, with its value."""
    import json

    data = [
        {**_of(one), "facts": {name: _json_value(value) for name, (value, _) in _facts(one).items()}}
        for one in analyses
    ]
    return json.dumps({"networks": data}, indent=1, ensure_ascii=False) + "\n"


def _facts(analysis: Analysis) -> dict[str, tuple[Any, str]]:
    """Names of a network's facts to their values and meanings."""
    from archcalc.budget.facts import Facts
    from archcalc.language.values import ShapeValue

    facts = Facts(analysis)
    values = {name: facts[name] for name in FACTS}
    return {
        name: (value.known() if isinstance(value, ShapeValue) else value, FACTS[name].means)
        for name, value in values.items()
    }


def facts_text(analysis: Analysis) -> str:
    """Every name that an assertion may use, with its value and meaning."""
    from archcalc.budget.facts import RECORDS, UNITS

    rows = [[name, value_text(value), says] for name, (value, says) in _facts(analysis).items()]
    rows += [[name, "", says] for name, says in RECORDS.items()]
    rows.append([" ".join(UNITS), "", ""])
    widths = [max(cells_wide(row[at]) for row in rows[:-1]) for at in range(2)]
    lines = [printable(f"{title_of(analysis)} · flops: {analysis.convention.name}")]
    lines += [
        f"{pad(name, widths[0], False)}  {pad(value, widths[1], True)}  {says}".rstrip() for name, value, says in rows
    ]
    return "\n".join(lines) + "\n"
