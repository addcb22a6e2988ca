"""Checked assertions, and the names that an assertion may use, as documents; and JUnit's report."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple
from xml.etree import ElementTree

from archcalc.analysis import Analysis
from archcalc.budget.assertions import Budget, Outcome
from archcalc.budget.facts import RECORDS, UNITS, Facts
from archcalc.language.values import ShapeValue
from archcalc.memory.estimating import estimate_note
from archcalc.quantities.contract import number
from archcalc.quantities.table import FACTS
from archcalc.render.document import Document, Section, Table, data_column, value_column, word_column
from archcalc.render.mathematics import number_text
from archcalc.render.table import title_of
from archcalc.words import counted, printable


def value_text(value: Any) -> str:
    """Return a value as people read it: `11,689,512`, `[1000]`, `true`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Fraction)):
        return number_text(value).replace("-", "−")
    if isinstance(value, float):
        return f"{value:,.6g}".replace("-", "−")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(str(item) for item in value)}]"
    return printable(str(value))


def margin_text(outcome: Outcome) -> str:
    """Return the distance to the limit, and its share of the limit: `3,310,488 (66.2 %)`."""
    if outcome.margin is None:
        return ""
    share = ""
    if outcome.limit:
        tenths = round(1000 * Fraction(outcome.margin) / abs(Fraction(outcome.limit)))
        share = f" ({'−' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10} %)"
    return f"{value_text(outcome.margin)}{share}"


class _Row(NamedTuple):
    """An assertion about a network, checked."""

    network: str
    outcome: Outcome


def budgets_document(budgets: Sequence[Budget]) -> Document:
    """Return a table of the assertions, a section for each network, and the number that failed."""
    columns = (
        data_column("network", lambda row: row.network),
        value_column("", lambda row: row.outcome.passed, _passed, "passed", right=False),
        value_column("", lambda row: "estimated" if row.outcome.estimated else "", right=False, is_optional=True),
        data_column("estimated", lambda row: row.outcome.estimated),
        word_column("assertion", lambda row: row.outcome.assertion.text, "assertion", is_name=True),
        word_column("actual", lambda row: _actual(row.outcome), "actual", is_prose=True),
        value_column("margin", lambda row: margin_text(row.outcome), right=False, is_optional=True),
        data_column("margin", lambda row: row.outcome.margin),
        data_column("limit", lambda row: row.outcome.limit),
    )
    outcomes = [outcome for budget in budgets for outcome in budget.outcomes]
    failed = sum(not outcome.passed for outcome in outcomes)
    broken = sum(bool(budget.problem) for budget in budgets)
    summary = f"{counted(len(outcomes), 'assertion')}, {failed} failed"
    if broken:
        summary += f"; {counted(broken, 'network')} not checked"
    notes = _estimate_notes(
        [
            budget.analysis
            for budget in budgets
            if budget.analysis and any(outcome.estimated for outcome in budget.outcomes)
        ]
    )
    table = Table("", columns, tuple(map(_section, budgets)), (summary, *notes))
    return Document("budget", (table,), lambda: {"networks": [_data(budget) for budget in budgets]})


def _section(budget: Budget) -> Section:
    if budget.analysis is None:
        return Section((), title=f"{budget.reference}: not checked", text=tuple(budget.problem.splitlines()[:1]))
    return Section([_Row(budget.reference, outcome) for outcome in budget.outcomes], title=_title(budget.analysis))


def _title(analysis: Analysis) -> str:
    return f"{title_of(analysis)} · flops: {analysis.convention.name}"


def _estimate_notes(analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Return what the estimates assume, for each network that has one."""
    return tuple(filter(None, (estimate_note(analysis.network) for analysis in analyses)))


def _passed(passed: bool) -> str:
    return "ok" if passed else "FAILED"


def _actual(outcome: Outcome) -> str:
    sign = "≈" if outcome.estimated else "="
    return ", ".join(f"{text} {sign} {value_text(value)}" for text, value in outcome.actual.items())


def _data(budget: Budget) -> dict[str, Any]:
    data: dict[str, Any] = {"reference": budget.reference, "passed": budget.passed}
    if budget.analysis is not None:
        data |= _of(budget.analysis)
    if budget.problem:
        data["problem"] = budget.problem
    data["assertions"] = [
        {
            "assertion": outcome.assertion.text,
            "passed": outcome.passed,
            "actual": {text: _json_value(value) for text, value in outcome.actual.items()},
            "margin": _json_value(outcome.margin),
            "limit": _json_value(outcome.limit),
            "estimated": outcome.estimated,
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
        return [_json_value(item) for item in value]
    return number(value) if isinstance(value, Fraction) else value


def budgets_junit(budgets: Sequence[Budget]) -> str:
    """Return a JUnit report: a suite for each network, a case for each assertion."""
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
            text = printable(outcome.assertion.text)
            case = ElementTree.SubElement(suite, "testcase", classname=printable(budget.reference), name=text)
            if outcome.passed and outcome.estimated:
                ElementTree.SubElement(case, "system-out").text = f"estimated: {printable(_actual(outcome))}"
            if not outcome.passed:
                margin = [] if outcome.margin is None else [f"margin {margin_text(outcome)}"]
                message = "; ".join([printable(_actual(outcome)), *margin])
                ElementTree.SubElement(case, "failure", message=message).text = f"FAILED: {text}\n{message}"
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


class _Fact(NamedTuple):
    """A name that an assertion may use."""

    network: str
    name: str
    means: str
    value: Any
    estimated: bool = False

    @property
    def text(self) -> str:
        return f"≈ {value_text(self.value)}" if self.estimated else value_text(self.value)


def facts_document(analyses: Sequence[Analysis]) -> Document:
    """Return the names that an assertion may use, with their values and meanings."""
    facts = [_facts(analysis) for analysis in analyses]
    others = [_Fact("", name, means, "") for name, means in RECORDS.items()]
    columns = (
        data_column("network", lambda fact: fact.network),
        word_column("name", lambda fact: fact.name, "name", is_name=True),
        value_column("value", lambda fact: fact.text),
        data_column("value", lambda fact: str(fact.value) if isinstance(fact.value, list) else fact.value),
        data_column("estimated", lambda fact: fact.estimated),
        word_column("meaning", lambda fact: fact.means, "meaning", is_prose=True),
    )
    sections = tuple(Section(own, title=_title(analysis)) for analysis, own in zip(analyses, facts, strict=True))
    units = f"Units: {' '.join(UNITS)}."
    return Document(
        "facts",
        (Table("", columns, (*sections, Section(others)), (units, *_estimate_notes(analyses))),),
        lambda: {
            "networks": [
                {
                    **_of(analysis),
                    "facts": {fact.name: _json_value(fact.value) for fact in own},
                    "estimated": [fact.name for fact in own if fact.estimated],
                }
                for analysis, own in zip(analyses, facts, strict=True)
            ]
        },
    )


def _facts(analysis: Analysis) -> list[_Fact]:
    """Return the facts of a network as a whole."""
    facts = Facts(analysis)
    found = []
    for name, quantity in FACTS.items():
        value = facts[name]
        plain = list(value.known()) if isinstance(value, ShapeValue) else value
        found.append(_Fact(analysis.network.name, name, quantity.means, plain, facts.estimates(name)))
    return found
