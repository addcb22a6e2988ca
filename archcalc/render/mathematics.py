"""Terms as text and LaTeX; derivations and closed forms as documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from string import ascii_letters

from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import FORMULAS
from archcalc.render.document import Document, Equations, Formula, Item, ItemList
from archcalc.symbolic.derivations import Explanation
from archcalc.symbolic.formulas import Formulas, python_source
from archcalc.symbolic.polynomials import Exact
from archcalc.symbolic.symbolic_layer import Line
from archcalc.symbolic.terms import NumberTerm, Power, Product, Quotient, SymbolTerm, Term, TermBuilder, TermSum
from archcalc.words import printable

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: Exact) -> str:
    """Return a number with commas: an integer, a decimal if it is short, else a fraction."""
    if isinstance(value, int):
        return f"{value:,}"
    decimal = value * 10**6
    if decimal.denominator == 1:
        return f"{int(value):,}" + f"{float(abs(value) % 1):.6f}".rstrip("0")[1:]
    return f"{value.numerator:,}/{value.denominator:,}"


def term_text(term: Term, inside: str = "") -> str:
    """Return a term on one line; ``inside`` is the kind of term around it: `product`, `power` or `quotient`."""
    if isinstance(term, NumberTerm):
        text = number_text(term.value)
        return f"({text})" if inside and (term.value < 0 or "/" in text) else text
    if isinstance(term, SymbolTerm):
        return term.name
    if isinstance(term, TermSum):
        text = _sum(term, "−", term_text)
        return f"({text})" if inside else text
    if isinstance(term, Product):
        text = _product_text(term.factors)
        return f"({text})" if inside in ("power", "divisor") else text
    if isinstance(term, Power):
        return term_text(term.base, "power") + str(term.exponent).translate(_SUPERSCRIPTS)
    if isinstance(term, Quotient):
        text = f"{term_text(term.top, 'quotient')}/{term_text(term.bottom, 'divisor')}"
        return f"({text})" if inside in ("product", "power", "divisor") else text
    inner = ", ".join(map(term_text, term.arguments))
    return {"floor": f"⌊{inner}⌋", "ceil": f"⌈{inner}⌉"}.get(term.name, f"{term.name}({inner})")


def _sum(term: TermSum, minus: str, write: Callable[[Term], str]) -> str:
    """Return the parts of a sum with their signs."""
    (sign, first), *rest = term.terms
    text = (minus if sign < 0 else "") + write(first)
    return text + "".join(f" {minus if sign < 0 else '+'} {write(part)}" for sign, part in rest)


def _product_text(factors: Sequence[Term]) -> str:
    """Return factors with dots between them; a number is close to the letter after it: `2P`."""
    text = term_text(factors[0], "product")
    for before, factor in pairwise(factors):
        close = isinstance(before, NumberTerm) and isinstance(factor, (SymbolTerm, Power)) and not _is_number(factor)
        text += ("" if close else "·") + term_text(factor, "product")
    return text


def _is_number(term: Term) -> bool:
    return isinstance(term, NumberTerm) or (isinstance(term, Power) and isinstance(term.base, NumberTerm))


def term_latex(term: Term, inside: str = "") -> str:
    """Return a term as a formula in LaTeX."""
    if isinstance(term, NumberTerm):
        if isinstance(term.value, Fraction) and "/" in number_text(term.value):
            return rf"\frac{{{term.value.numerator}}}{{{term.value.denominator}}}"
        text = number_text(term.value).replace(",", "{,}")
        return f"({text})" if inside and term.value < 0 else text
    if isinstance(term, SymbolTerm):
        return name_latex(term.name)
    if isinstance(term, TermSum):
        text = _sum(term, "-", term_latex)
        return rf"\left({text}\right)" if inside else text
    if isinstance(term, Product):
        return r" \cdot ".join(term_latex(factor, "product") for factor in term.factors)
    if isinstance(term, Power):
        return f"{term_latex(term.base, 'power')}^{{{term.exponent}}}"
    if isinstance(term, Quotient):
        return rf"\frac{{{term_latex(term.top)}}}{{{term_latex(term.bottom)}}}"
    inner = ", ".join(map(term_latex, term.arguments))
    marks = {"floor": ("lfloor", "rfloor"), "ceil": ("lceil", "rceil")}.get(term.name)
    if marks:
        return rf"\left\{marks[0]} {inner} \right\{marks[1]}"
    return rf"\{term.name}\left({inner}\right)"


def name_latex(name: str) -> str:
    """Return a symbol or a word."""
    base, prime, _ = name.partition("'")
    base, _, index = base.partition("_")
    digits = base.lstrip(ascii_letters)
    if digits.isdigit():
        base, index = base[: -len(digits)], digits
    letters = base if len(base) == 1 else rf"\mathrm{{{base}}}"
    return letters + (f"_{{{index}}}" if index else "") + prime


def line_text(line: Line) -> str:
    """Return a line of a derivation: ``W' = (W − K)/S + 1 = … = 27``."""
    unit = f" {line.unit}" if line.unit else ""
    parts = [term_text(term) for term in line.terms]
    shown = " = ".join([part for part in (line.symbol, *parts) if part])
    remark = printable(line.remark)
    if not line.terms:
        return f"{line.symbol}: {remark}" if line.symbol else remark
    return f"{shown}{unit}" + (f"  ({remark})" if remark else "")


def line_latex(line: Line) -> str:
    """Return a line of a derivation as the inside of a formula in LaTeX."""
    from archcalc.render.writers.latex import escape_latex

    unit = rf"\,\mathrm{{{line.unit}}}" if line.unit else ""
    parts = [name_latex(line.symbol)] if line.symbol else []
    parts += map(term_latex, line.terms)
    remark = rf"\text{{{escape_latex(line.remark)}}}" if line.remark else ""
    if not line.terms:
        return rf"{parts[0]}\colon {remark}" if parts else remark
    return " = ".join(parts) + unit + (rf"\quad {remark}" if remark else "")


def line_formula(line: Line) -> Formula:
    """Return a line of a derivation."""
    return Formula(line_text(line), line_latex(line))


def explanations_document(explanations: Sequence[Explanation]) -> Document:
    """Return derivations as a list; the records have a row for each line."""
    items = tuple(
        Item(f"{explained.layer}: {explained.heading}", lines=tuple(map(line_formula, explained.lines)))
        for explained in explanations
    )
    rows = [
        [explained.layer, explained.quantity, number, line_text(line)]
        for explained in explanations
        for number, line in enumerate(explained.lines, 1)
    ]
    return Document("explain", (ItemList(items),), sheet=lambda: [["layer", "quantity", "step", "formula"], *rows])


def heading_of(quantity: str, convention: str) -> str:
    """Return the heading of a quantity beside its formula, which is in single bytes."""
    chosen = FORMULAS[quantity]
    return chosen.headed(convention, chosen.units[0] if isinstance(chosen, Cost) else None)


_RELATIONS = {"==": ("=", "="), "!=": ("≠", r"\ne"), ">=": ("≥", r"\ge"), "<": ("<", "<")}
"""Relations as text and in LaTeX."""


def formulas_document(found: Formulas, convention: str) -> Document:
    """Return closed forms with the conditions under which they hold."""
    writer = TermBuilder()
    terms = {quantity: writer.write(form) for quantity, form in found.forms.items()}
    headings = {quantity: heading_of(quantity, convention) for quantity in terms}
    forms = [
        Formula(f"{headings[quantity]} = {term_text(term)}", rf"\text{{{headings[quantity]}}} = {term_latex(term)}")
        for quantity, term in terms.items()
    ]
    conditions = _conditions(found, writer)
    lines = [*forms, *(Formula(f"  where {condition.text}", rf"\quad {condition.latex}") for condition in conditions)]
    return Document(
        found.name,
        (Equations(tuple(lines)),),
        lambda: {
            "name": found.name,
            "convention": convention,
            "formulas": {quantity: term_text(term) for quantity, term in terms.items()},
            "conditions": [condition.text for condition in conditions],
        },
        lambda: [["quantity", "formula"], *([quantity, term_text(term)] for quantity, term in terms.items())],
    )


def _conditions(found: Formulas, writer: TermBuilder) -> list[Formula]:
    """Return the conditions under which closed forms hold."""
    conditions = []
    for first, relation, other in found.conditions:
        left, right = writer.write(first), writer.write(other)
        sign, latex = _RELATIONS[relation]
        conditions.append(
            Formula(f"{term_text(left)} {sign} {term_text(right)}", f"{term_latex(left)} {latex} {term_latex(right)}")
        )
    return conditions


def formulas_source(found: Formulas) -> str:
    """Return closed forms as Python functions, with the conditions under which they hold."""
    notes = "".join(f"# where {condition.text}\n" for condition in _conditions(found, TermBuilder()))
    return f"# {printable(found.name)}\n{notes}\n{python_source(found)}"
