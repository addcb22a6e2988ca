"""Terms and derivations as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import FORMULAS
from archcalc.symbolic.derivations import Explanation, Line
from archcalc.symbolic.formulas import Formulas, python_source
from archcalc.symbolic.polynomials import Exact
from archcalc.symbolic.terms import NumberTerm, Power, Product, Quotient, Sum, SymbolTerm, Term, TermBuilder
from archcalc.words import printable

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: Exact) -> str:
    """A number: thousands apart, a decimal where it is short, else a fraction."""
    if isinstance(value, int):
        return f"{value:,}"
    decimal = value * 10**6
    if decimal.denominator == 1:
        return f"{int(value):,}" + f"{float(abs(value) % 1):.6f}".rstrip("0")[1:]
    return f"{value.numerator:,}/{value.denominator:,}"


def term_text(term: Term, inside: str = "") -> str:
    """A term on one line. ``inside`` is what it stands in: `product`, `power` or `quotient`."""
    if isinstance(term, NumberTerm):
        text = number_text(term.value)
        return f"({text})" if inside and (term.value < 0 or "/" in text) else text
    if isinstance(term, SymbolTerm):
        return term.name
    if isinstance(term, Sum):
        first, *rest = term.terms
        text = ("−" if first[0] < 0 else "") + term_text(first[1])
        text += "".join(f" {'−' if sign < 0 else '+'} {term_text(one)}" for sign, one in rest)
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


def _product_text(factors: Sequence[Term]) -> str:
    """Factors with dots between them; a number stands close to the letter after it: `2P`."""
    text = term_text(factors[0], "product")
    for before, one in pairwise(factors):
        close = isinstance(before, NumberTerm) and isinstance(one, (SymbolTerm, Power)) and not _is_number(one)
        text += ("" if close else "·") + term_text(one, "product")
    return text


def _is_number(term: Term) -> bool:
    return isinstance(term, NumberTerm) or (isinstance(term, Power) and isinstance(term.base, NumberTerm))


def term_latex(term: Term, inside: str = "") -> str:
    """A term in LaTeX's mathematics."""
    if isinstance(term, NumberTerm):
        if isinstance(term.value, Fraction) and "/" in number_text(term.value):
            return rf"\frac{{{term.value.numerator}}}{{{term.value.denominator}}}"
        text = number_text(term.value).replace(",", "{,}")
        return f"({text})" if inside and term.value < 0 else text
    if isinstance(term, SymbolTerm):
        return name_latex(term.name)
    if isinstance(term, Sum):
        first, *rest = term.terms
        text = ("-" if first[0] < 0 else "") + term_latex(first[1])
        text += "".join(f" {'-' if sign < 0 else '+'} {term_latex(one)}" for sign, one in rest)
        return rf"\left({text}\right)" if inside else text
    if isinstance(term, Product):
        return r" \cdot ".join(term_latex(one, "product") for one in term.factors)
    if isinstance(term, Power):
        return f"{term_latex(term.base, 'power')}^{{{term.exponent}}}"
    if isinstance(term, Quotient):
        return rf"\frac{{{term_latex(term.top)}}}{{{term_latex(term.bottom)}}}"
    inner = ", ".join(map(term_latex, term.arguments))
    marks = {"floor": ("lfloor", "rfloor"), "ceil": ("lceil", "rceil")}.get(term.name)
    if marks:
        return rf"\left\{marks[0]} {inner} \right\{marks[1]}"
    return rf"\{'gcd' if term.name == 'gcd' else term.name}\left({inner}\right)"


def name_latex(name: str) -> str:
    """A symbol or a word."""
    base, prime, _ = name.partition("'")
    base, _, index = base.partition("_")
    digits = base.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    if digits.isdigit():
        base, index = base[: -len(digits)], digits
    letters = base if len(base) == 1 else rf"\mathrm{{{base}}}"
    return letters + (f"_{{{index}}}" if index else "") + prime


def line_text(line: Line) -> str:
    """A derivation: ``W' = (W − K)/S + 1 = … = 27``."""
    unit = f" {line.unit}" if line.unit else ""
    parts = [term_text(term) for term in line.terms]
    shown = " = ".join([part for part in (line.symbol, *parts) if part])
    remark = printable(line.remark)
    if not line.terms:
        return f"{line.symbol}: {remark}" if line.symbol else remark
    return f"{shown}{unit}" + (f"  ({remark})" if remark else "")


def line_latex(line: Line) -> str:
    """The same in LaTeX, as the inside of a formula."""
    from archcalc.render.writers.latex import escape_latex

    unit = rf"\,\mathrm{{{line.unit}}}" if line.unit else ""
    parts = [name_latex(line.symbol)] if line.symbol else []
    parts += map(term_latex, line.terms)
    remark = rf"\text{{{escape_latex(line.remark)}}}" if line.remark else ""
    if not line.terms:
        return rf"{parts[0]}\colon {remark}" if parts else remark
    return " = ".join(parts) + unit + (rf"\quad {remark}" if remark else "")


def render_explanations(explanations: Sequence[Explanation], format: str) -> str:
    """Derivations in `text`, `markdown`, `latex` or `html`, ending with a line's end."""
    return FORMATS[format](explanations)


def _text(explanations: Sequence[Explanation]) -> str:
    blocks = [
        "\n".join([f"{printable(one.layer)}: {one.heading}", *(f"  {line_text(line)}" for line in one.lines)])
        for one in explanations
    ]
    return "\n\n".join(blocks) + "\n"


def _markdown(explanations: Sequence[Explanation]) -> str:
    from archcalc.render.writers.markdown import escape_markdown

    blocks = [
        "\n".join(
            [
                f"**{escape_markdown(one.layer)}: {one.heading}**",
                "",
                *(f"$${line_latex(line)}$$" for line in one.lines),
            ]
        )
        for one in explanations
    ]
    return "\n\n".join(blocks) + "\n"


def _latex(explanations: Sequence[Explanation]) -> str:
    from archcalc.render.writers.latex import escape_latex

    blocks = []
    for one in explanations:
        lines = "\\\\\n  ".join("&" + line_latex(line) for line in one.lines)
        blocks.append(
            rf"\paragraph{{{escape_latex(one.layer)}: {one.heading}}}"
            + "\n\\begin{align*}\n  "
            + lines
            + "\n\\end{align*}"
        )
    return "% needs \\usepackage{amsmath}\n" + "\n\n".join(blocks) + "\n"


def _html(explanations: Sequence[Explanation]) -> str:
    from html import escape

    blocks = []
    for one in explanations:
        lines = "".join(f"<li>{escape(line_text(line))}</li>" for line in one.lines)
        blocks.append(
            f"<section><h3>{escape(printable(one.layer))}: {escape(one.heading)}</h3><ul>{lines}</ul></section>"
        )
    return "\n".join(blocks) + "\n"


FORMATS = {"text": _text, "markdown": _markdown, "latex": _latex, "html": _html}


def heading_of(quantity: str, convention: str) -> str:
    """What a quantity is called where its formula stands, which is in single bytes."""
    chosen = FORMULAS[quantity]
    return chosen.headed(convention, chosen.units[0] if isinstance(chosen, Cost) else None)


def render_formulas(formulas: Formulas, format: str, convention: str) -> str:
    """Closed forms in `text`, `latex` or `python`, with the conditions under which they hold."""
    writer = TermBuilder()
    relations = {"==": "=", "!=": "≠", ">=": "≥", "<": "<"}
    conditions = [
        f"{term_text(writer.write(left))} {relations[relation]} {term_text(writer.write(right))}"
        for left, relation, right in formulas.conditions
    ]
    if format == "python":
        notes = "".join(f"# where {condition}\n" for condition in conditions)
        return f"# {printable(formulas.name)}\n{notes}\n" + python_source(formulas)
    if format == "latex":
        lines = [
            rf"\text{{{heading_of(name, convention)}}} &= {term_latex(writer.write(form))}"
            for name, form in formulas.forms.items()
        ]
        marks = {"==": "=", "!=": r"\ne", ">=": r"\ge", "<": "<"}
        lines += [
            rf"&\quad {term_latex(writer.write(left))} {marks[relation]} {term_latex(writer.write(right))}"
            for left, relation, right in formulas.conditions
        ]
        return "\\begin{align*}\n  " + "\\\\\n  ".join(lines) + "\n\\end{align*}\n"
    lines = [
        f"{heading_of(name, convention)} = {term_text(writer.write(form))}" for name, form in formulas.forms.items()
    ]
    return "\n".join([*lines, *(f"  where {condition}" for condition in conditions)]) + "\n"
