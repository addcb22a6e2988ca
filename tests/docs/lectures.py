"""The lectures' claims beside archcalc's numbers: the page docs/explanation/lectures.md, made from tests/data/gold.

claims.csv has what the slides print, and the same recomputed by hand; queries.yaml says what to ask archcalc. Every
number on the page is computed here and now by archcalc, from specs, pieces and formulas.
"""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

import archcalc
from archcalc.budget.facts import UNITS, Facts
from archcalc.homework.answers.formulas import read_formula
from archcalc.homework.answers.numbers import Unreadable, is_cut, read_number, rounds_to
from archcalc.language.expression import parse_expression
from archcalc.language.family import Family, InlineSpec, SpecFamily
from archcalc.language.language import Spec
from archcalc.language.source import SpecDocument
from archcalc.language.values import Record
from archcalc.render.mathematics import number_text, term_text
from archcalc.symbolic.formulas import formulas
from archcalc.symbolic.polynomials import Polynomial, Symbol, inverse
from archcalc.symbolic.terms import TermBuilder
from archcalc.symbolic.traced import Trace, polynomial_of

GOLD = Path(__file__).resolve().parents[1] / "data" / "gold"
EXTERNAL: dict[str, Any] = {"none": "an experiment, a data set or a machine"}
PREFIXES = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "P": 10**15}
_SCALED = re.compile(r"([kKMGP])(FLOP|F)?")


@dataclass(frozen=True)
class Claim:
    """A line of claims.csv."""

    id: str
    deck: str
    section: str
    subject: str
    quantity: str
    unit: str
    stated: str
    recomputed: str
    verdict: str
    note: str

    @property
    def is_external(self) -> bool:
        """Whether it is of an experiment, a data set or a machine, or of a paper's choice."""
        return self.verdict == "convention:external"


@dataclass(frozen=True)
class Answer:
    """What archcalc says to a claim."""

    claim: Claim
    query: Mapping[str, Any]
    value: Any
    """A number, a list, a `Polynomial`, or None where archcalc has none."""
    asked: str
    """The expression or piece, as a reader can type it."""
    symbols: Mapping[str, Symbol]
    """The symbols of a formula, as the slide writes them."""

    @cached_property
    def verdict(self) -> str:
        """How the print stands to archcalc's number: exact, rounds, cut or differs; words where none is printed."""
        if self.value is None:
            return ""
        if self.query.get("words"):
            return "words"
        if isinstance(self.value, Polynomial):
            return self._of_formula(self.claim.stated)
        if isinstance(self.value, list):
            numbers = whole_numbers(self.claim.stated)
            return "words" if len(numbers) != len(self.value) else "exact" if numbers == self.value else "differs"
        number = printed_number(self.claim.stated)
        if number is None:
            return "words"
        if number.value == self.value:
            return "exact"
        if rounds_to(self.value, number):
            return "rounds"
        return "cut" if is_cut(self.value, number) else "differs"

    def _of_formula(self, text: str) -> str:
        try:
            read = read_formula(text, self.symbols)
        except Unreadable:
            return "words"
        same = (
            equal_where(self.query["divides"], read.polynomial, self.value)
            if "divides" in self.query
            else read.equals(self.value)
        )
        return "exact" if same else "differs"

    def equals_recomputed(self) -> bool | None:
        """Whether it is the number that was recomputed by hand, to the digits noted; None where none was."""
        if isinstance(self.value, Polynomial):
            verdict = self._of_formula(self.claim.recomputed)
            return None if verdict == "words" else verdict == "exact"
        if isinstance(self.value, list):
            numbers = whole_numbers(self.claim.recomputed)
            return numbers == self.value if len(numbers) == len(self.value) else None
        number = printed_number(self.claim.recomputed)
        return None if number is None else rounds_to(self.value, number)


def equal_where(divisor: str, one: Polynomial, other: Polynomial) -> bool:
    """Whether two formulas are equal wherever one symbol divides all others: at 50 such places."""
    drawn = random.Random(498)
    for _ in range(50):
        least = drawn.randrange(2, 10)
        place = {
            symbol: least if symbol.name == divisor else least * drawn.randrange(10**3, 10**6)
            for symbol in sorted(one.symbols | other.symbols, key=lambda symbol: symbol.key)
        }
        if one.evaluate(place) != other.evaluate(place):
            return False
    return True


def whole_numbers(text: str) -> list[int]:
    """The whole numbers in a text."""
    return [int(one) for one in re.findall(r"\d+", text)]


def printed_number(text: str) -> Any:
    """The number that a text is, with its prefix counted in; None if it is none."""
    try:
        number, unit = read_number(text)
    except Unreadable:
        return None
    scaled = _SCALED.fullmatch(unit)
    return number.in_units_of(PREFIXES[scaled[1]]) if scaled else number


@cache
def claims() -> list[Claim]:
    with open(GOLD / "claims.csv", newline="", encoding="utf-8") as stream:
        return [Claim(**line) for line in csv.DictReader(stream)]


@cache
def queries() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The specs that are not bundled, and the queries."""
    data = yaml.safe_load((GOLD / "queries.yaml").read_text(encoding="utf-8"))
    return data["specs"], data["queries"]


class Networks(dict[str, Any]):
    """The variables of a query: units, and every network by its name."""

    def __missing__(self, name: str) -> Record:
        self[name] = Record(name, Facts(archcalc.analyze(network(name))))
        return self[name]


@cache
def variables() -> Networks:
    return Networks(UNITS)


@cache
def spec(name: str) -> Spec:
    text = yaml.safe_dump({"name": name, **queries()[0][name]})
    return Spec(SpecDocument(text, name), lambda base, document: (spec(base), None))


@cache
def network(name: str) -> archcalc.Network:
    return spec(name).network(None, {}) if name in queries()[0] else archcalc.load(name)


# -- asking


@cache
def answers() -> list[Answer]:
    """archcalc's answer to every claim, in their order."""
    return [answer(claim) for claim in claims()]


def answer(claim: Claim) -> Answer:
    query, caught = matching(claim)
    if "is" in query:
        asked = " ".join(fill(query["is"], caught).split())
        return Answer(claim, query, plain(parse_expression(asked).evaluate(variables())), asked, {})
    if "formula" in query:
        form, symbols = closed_form(query)
        ours = {one.name: one for one in symbols}
        theirs = {printed: ours[name] for printed, name in query.get("symbols", {}).items()}
        return Answer(claim, query, form, asked_formula(query), {**ours, **theirs})
    return Answer(claim, query, None, "", {})


def matching(claim: Claim) -> tuple[dict[str, Any], dict[str, str]]:
    """The first query for a claim, and what its groups catch; an external claim needs none."""
    for query in queries()[1]:
        match = re.fullmatch(query["claims"], claim.id)
        if match:
            return query, match.groupdict()
    if claim.is_external:
        return EXTERNAL, {}
    raise LookupError(f"no query for {claim.id}")


def fill(text: str, caught: Mapping[str, str]) -> str:
    for name, value in caught.items():
        text = text.replace("{" + name + "}", value)
    return text


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def family(of: Any) -> Family:
    """The networks of a piece, or of a spec with what it leaves open."""
    if isinstance(of, str):
        return InlineSpec(of)
    lets = {name: str(text) for name, text in of["let"].items()}
    return SpecFamily(spec(of["spec"]), None, {}, None, lets)


def closed_form(query: Mapping[str, Any]) -> tuple[Polynomial, list[Symbol]]:
    """The formula that a query asks for, and its symbols."""
    form, symbols = one_form(query["formula"], query.get("of", "weights"))
    if "minus" in query:
        form = form - one_form(query["minus"], query["of"])[0]
    if isinstance(query.get("over"), int):
        form = form * Polynomial.of(Fraction(1, query["over"]))
    elif "over" in query:
        form = form * inverse(one_form(query["over"], query["of"])[0])
    return form, symbols


def one_form(of: Any, quantity: str) -> tuple[Polynomial, list[Symbol]]:
    if quantity == "width":
        return output_width(family(of))
    found = formulas(family(of), (quantity,))
    return found.forms[quantity], list(found.symbols)


def output_width(networks: Family) -> tuple[Polynomial, list[Symbol]]:
    """The last size of the last layer's output."""
    trace = Trace()
    symbols = [Symbol(name, place=at) for at, name in enumerate(networks.samples)]
    numbers = {one.name: trace.symbol(one, networks.samples[one.name]) for one in symbols}
    return polynomial_of(networks.network(numbers).layers[-1].output_shape[-1]), symbols


def asked_formula(query: Mapping[str, Any]) -> str:
    of = query["formula"]
    text = of if isinstance(of, str) else f"{of['spec']} with {', '.join(f'{a} = {b}' for a, b in of['let'].items())}"
    text = f"{query.get('of', 'weights')} of {text}"
    if "minus" in query:
        text += f", less that of {query['minus']}"
    if "over" in query:
        text += f", over {query['over']}"
    return text


# -- the page


def value_text(value: Any) -> str:
    """Archcalc's number, whole or with up to six digits after the point."""
    if isinstance(value, Polynomial):
        return term_text(TermBuilder(dict.fromkeys(value.symbols, 1)).write(value))
    if isinstance(value, list):
        return ", ".join(map(number_text, value))
    if isinstance(value, Fraction):
        rounded = Fraction(round(value * 10**6), 10**6)
        return number_text(rounded.numerator if rounded.denominator == 1 else rounded)
    return number_text(value)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def row(one: Answer) -> str:
    claim = one.claim
    what = f"{claim.subject}: {claim.quantity}" + (f" ({claim.unit})" if claim.unit not in ("", "formula") else "")
    remark = one.query.get("departs") or ("" if one.verdict in ("exact", "rounds") else claim.note)
    if "divides" in one.query:
        remark = f"where {one.query['divides']} divides; archcalc rounds down elsewhere"
    cells = [
        cell(what),
        cell(claim.stated),
        cell(value_text(one.value)),
        verdict_text(one),
        f"`{one.asked}`",
        cell(remark),
    ]
    return f"| {' | '.join(cells)} |"


def verdict_text(one: Answer) -> str:
    if one.value is None:
        return "–"
    if one.verdict == "differs":
        return "**slip**" if one.claim.verdict == "erratum" else "other convention"
    return {"words": "in words"}.get(one.verdict, one.verdict)


KINDS = ("exact", "rounds", "cut", "**slip**", "other convention", "in words", "–")


INTRODUCTION = """\
The *lecture* is a set of five lecture decks on convolutional networks, numbered 000 to 004. This page lists {count} of
their claims beside the numbers that archcalc computes. `pytest tests/docs --update-docs` makes it from
`tests/data/gold`: `claims.csv` has what the slides print, `queries.yaml` what archcalc is asked. The tests compare
each number with one recomputed by hand.

| verdict | meaning |
|---|---|
| exact | The slide prints archcalc's number. |
| rounds | The slide prints archcalc's number, rounded. |
| cut | The slide prints archcalc's number with digits cut off. |
| slip | The slide is wrong. |
| other convention | The slide counts something else; the remark says what. |
| in words | The slide prints no number. |

In the column "asked", `alexnet.params` is a quantity of a network. The network is bundled, or stands at the end of this
page. To check it, run `archcalc budget alexnet "params == 61100840"`. "weights of conv 5x5 C->C" is a closed form. To
get it, run `archcalc formula "conv 5x5 C->C" --of weights`."""


def page() -> str:
    """The page."""
    every = answers()
    lines = [
        "# The lectures' claims",
        "",
        *INTRODUCTION.format(count=len(every)).splitlines(),
        "",
        "| deck | claims | " + " | ".join(KINDS[:-1]) + " | not computed | external |",
        "|---|" + "---:|" * (len(KINDS) + 2),
    ]
    for deck, group in groupby(every, key=lambda one: one.claim.deck):
        lines.append(summary_row(deck, list(group)))
    lines += [summary_row("all", every), "", "## The slips", ""]
    lines += ["| deck | claim | printed | archcalc | why |", "|---|---|---|---|---|"]
    for one in every:
        if one.claim.verdict == "erratum" and one.verdict == "differs":
            claim = one.claim
            cells = [claim.deck, f"{claim.subject}: {claim.quantity}", claim.stated, value_text(one.value), claim.note]
            lines.append("| " + " | ".join(map(cell, cells)) + " |")
    for (deck, section), group in groupby(every, key=lambda one: (one.claim.deck, one.claim.section)):
        lines += ["", f"## Deck {deck}: {section}", "", *section_lines(list(group))]
    lines += ["", "## Networks of this page", "", "```yaml"]
    lines += [
        f"{name}: {yaml.safe_dump(data, default_flow_style=True, width=10**6).strip()}"
        for name, data in queries()[0].items()
    ]
    return "\n".join([*lines, "```", "", "Terms: [glossary](../reference/glossary.md).", ""])


def summary_row(deck: str, every: list[Answer]) -> str:
    external = sum(one.query is EXTERNAL for one in every)
    counts = Counter(verdict_text(one) for one in every if one.query is not EXTERNAL)
    return f"| {deck} | {len(every)} | " + " | ".join(str(counts[kind]) for kind in KINDS) + f" | {external} |"


def section_lines(every: list[Answer]) -> list[str]:
    """A row for each claim with a number; the others in a line for each reason why there is none."""
    lines = []
    if any(one.value is not None for one in every):
        lines = ["| claim | printed | archcalc | verdict | asked | remark |", "|---|---|---|---|---|---|"]
        lines += [row(one) for one in every if one.value is not None]
    without: dict[str, list[Claim]] = {}
    for one in every:
        if one.value is None:
            without.setdefault(one.query["none"], []).append(one.claim)
    if lines and without:
        lines.append("")
    for reason, claims_ in without.items():
        told = [cell(f"{one.subject}, {one.quantity}: {one.stated}") for one in claims_]
        lines.append(f"- Not computed ({reason}): {'; '.join(told)}.")
    return lines
