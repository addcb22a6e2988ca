"""Closed forms: quantities of a whole network as functions of free symbols.

The network is built and analyzed once over traced numbers. The recorded guards are the conditions under which the
closed form equals the table; guards that always hold are dropped. A symbol that is a count (``repeat: n``) is found by
Newton interpolation over several counts, and two more counts must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archcalc.analysis.costs import analyze
from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.errors import SpecError, UserError
from archcalc.language.family import SAMPLE, evaluate, free_names
from archcalc.memory.estimating import need_modelled
from archcalc.network import Network
from archcalc.quantities.quantity import refuse_uncounted
from archcalc.quantities.table import FORMULAS, choose
from archcalc.requirements import need
from archcalc.structs import Struct, replace
from archcalc.symbolic.polynomials import Exact, Function, Polynomial, Symbol
from archcalc.symbolic.traced import RELATIONS, Guard, Trace, polynomial_of
from archcalc.words import help_line

if TYPE_CHECKING:
    import sympy

    from archcalc.language.family import Family

DEGREE = 4
"""Largest power of a count in a closed form."""


class Formulas(Struct):
    """Closed forms of a family of networks, and the conditions under which they hold."""

    name: str
    forms: Mapping[str, Polynomial]
    """Quantity to closed form."""
    guards: tuple[Guard, ...]
    """Conditions that do not always hold."""
    symbols: tuple[Symbol, ...]

    def evaluate(self, quantity: str, **numbers: Any) -> Any:
        """Return a quantity for values of the symbols."""
        return self.forms[quantity].evaluate({symbol: numbers[symbol.name] for symbol in self.symbols})

    def holds(self, **numbers: Any) -> bool:
        """True if the closed forms are valid for these values."""
        values = {symbol: numbers[symbol.name] for symbol in self.symbols}
        return all(holds(guard, values) for guard in self.guards)

    @property
    def conditions(self) -> list[Guard]:
        """The guards with numbers on the right; of several lower bounds of one size, the largest."""
        found: dict[tuple[Polynomial, str], Exact] = {}
        for guard in self.guards:
            bound = -guard.difference.terms.get((), 0)
            key = (guard.difference + Polynomial.of(bound), guard.relation)
            found[key] = max(bound, found.get(key, bound)) if guard.relation == ">=" else bound
        return [Guard(left, relation, Polynomial.of(bound)) for (left, relation), bound in found.items()]

    def sympy(self, quantity: str) -> sympy.Expr:
        """Return the closed form as a SymPy expression over positive integer symbols."""
        return to_sympy(self.forms[quantity])


def holds(guard: Guard, values: Mapping[Symbol, Any]) -> bool:
    """True if a guard holds for values of its symbols."""
    return bool(RELATIONS[guard.relation](guard.difference.evaluate(values), 0))


def formulas(
    family: Family,
    quantities: Sequence[str] = ("params", "macs"),
    counting: Counting = DEFAULT,
    batch: str = "",
) -> Formulas:
    """Return the closed forms of quantities of a family of networks.

    ``batch`` is an expression over free names; empty for the batch of ``counting``.

    Raises:
        UserError: for an unknown quantity.
        SpecError: if nothing is free, if the network cannot be built, or if a count has no closed form.
    """
    samples = {**dict.fromkeys(free_names(batch) if batch else (), SAMPLE), **family.samples}
    if not samples:
        raise SpecError(
            "the closed form needs a free symbol" + help_line("use --let NAME=EXPRESSION, such as --let H=32*h")
        )
    symbols = {name: Symbol(name, place=place) for place, name in enumerate(samples)}

    def run(values: Mapping[str, int]) -> tuple[dict[str, Polynomial], list[Guard]]:
        trace = Trace()
        numbers = {name: trace.symbol(symbol, values[name]) for name, symbol in symbols.items()}
        network = family.network({name: numbers[name] for name in family.samples})
        counted = replace(counting, batch=evaluate(batch, numbers)) if batch else counting
        sizes = measured(network, quantities, counted)
        forms = {name: polynomial_of(size) for name, size in sizes.items()}
        return forms, [guard for guard in trace.guards if not guard.always]

    forms, guards = run(samples)
    counts = [symbol for symbol in symbols.values() if any(guard.pins(symbol) for guard in guards)]
    for symbol in counts:
        if len(counts) > 1:
            names = ", ".join(each.name for each in counts)
            fix = help_line("set all but one of them to a number")
            raise SpecError(f"only one free symbol can be a count or decide the structure, got {names}{fix}")
        forms, guards = _summed(run, samples, symbol)
    return Formulas(family.name, forms, tuple(guards), tuple(symbols.values()))


def measured(network: Network, quantities: Sequence[str], counting: Counting) -> dict[str, Any]:
    """Return quantities of a network.

    Raises `UserError` for one that is unknown, that the network does not have, or that is an estimate: nothing beside a
    closed form or a point of a sweep could say so.
    """
    chosen = choose(quantities, FORMULAS, "archcalc formula --of help")
    analysis = analyze(network, counting)
    refuse_uncounted([FORMULAS[name] for name in chosen], analysis)
    if any(FORMULAS[name].is_simulated for name in chosen):
        need_modelled(network)
    found = {name: FORMULAS[name].of_network(analysis) for name in chosen}
    for name, value in found.items():
        if value is None:
            raise UserError(f"{network.name} has no {FORMULAS[name].headed()}: no layer has spatial dimensions")
    return found


def _summed(run: Any, samples: Mapping[str, int], symbol: Symbol) -> tuple[dict[str, Polynomial], list[Guard]]:
    """Return closed forms in a count, by interpolation over the counts 1, 2, 3, …"""
    points = range(1, DEGREE + 4)
    runs = [run({**samples, symbol.name: point}) for point in points]
    forms = {}
    for quantity in runs[0][0]:
        values = [forms_at[quantity] for forms_at, _ in runs]
        form = _interpolated(values[: DEGREE + 1], symbol)
        for point, value in zip(points, values, strict=True):
            if form.replaced({symbol: Polynomial.of(point)}) != value:
                raise SpecError(
                    f"no closed form of {quantity}: it is not a polynomial in {symbol.name} of degree at most {DEGREE}"
                )
        forms[quantity] = form
    guards = dict.fromkeys(guard for _, found in runs for guard in found if symbol not in guard.difference.symbols)
    return forms, list(guards)


def _interpolated(values: Sequence[Polynomial], symbol: Symbol) -> Polynomial:
    """Return Newton's polynomial through ``values`` at 1, 2, 3, …"""
    result, basis, row = Polynomial({}), Polynomial.of(1), list(values)
    for order in range(len(values)):
        result = result + row[0] * basis
        row = [after - before for before, after in pairwise(row)]
        basis = (basis * (Polynomial.of(symbol) - Polynomial.of(order + 1))).times(Fraction(1, order + 1))
    return result


def to_sympy(polynomial: Polynomial) -> sympy.Expr:
    """Return the polynomial as a SymPy expression; `MissingExtra` if SymPy is not installed."""
    sympy = need("sympy", "sympy")
    functions = {
        "floor": lambda top, bottom: sympy.floor(top / bottom),
        "min": sympy.Min,
        "max": sympy.Max,
        "gcd": sympy.Function("gcd", integer=True, positive=True),
        "inverse": lambda number: 1 / number,
    }

    def converted(atom: Symbol | Function) -> Any:
        if isinstance(atom, Symbol):
            return sympy.Symbol(atom.name, integer=atom.whole or None, positive=True)
        return functions[atom.name](*map(to_sympy, atom.arguments))

    return sympy.Add(
        *(
            sympy.Rational(factor) * sympy.Mul(*(converted(atom) ** power for atom, power in monomial))
            for monomial, factor in polynomial.terms.items()
        )
    )


def python_source(formulas: Formulas) -> str:
    """Return a Python function for each closed form, exact over integers."""
    arguments = ", ".join(symbol.name for symbol in formulas.symbols)
    blocks = []
    for quantity, form in formulas.forms.items():
        blocks.append(f"def {quantity}({arguments}):\n    return {python_expression(form)}\n")
    return "\n\n".join(blocks)


def python_expression(polynomial: Polynomial, prefix: str = "") -> str:
    """Return the polynomial as Python source; the common denominator is divided out at the end, exactly."""
    scale = polynomial.scale
    parts = []
    for monomial, factor in polynomial.times(scale).terms.items():
        top = [str(factor)] if factor != 1 or not monomial else []
        for atom, power in monomial:
            text = python_atom(atom, prefix)
            if power < 0:
                raise UserError(
                    "this closed form has a quotient that is not always an integer, so it cannot be written in Python"
                    + help_line("use --format latex or sympy")
                )
            top.append(text if power == 1 else f"{text}**{power}")
        parts.append("*".join(top))
    text = " + ".join(parts) or "0"
    return text if scale == 1 else f"({text}) // {scale}"


def python_atom(atom: Symbol | Function, prefix: str = "") -> str:
    """Return a symbol or function as Python source; ``prefix`` precedes `min`, `max` and `gcd`."""
    if isinstance(atom, Symbol):
        return atom.name
    inner = [python_expression(argument, prefix) for argument in atom.arguments]
    if atom.name == "floor":
        return f"(({inner[0]}) // ({inner[1]}))"
    return f"{prefix}{atom.name}({', '.join(inner)})"


def ratio_of_formulas(dividend: Formulas, divisor: Formulas, quantity: str) -> Any:
    """Return the simplified quotient of two closed forms as a SymPy expression; None if the divisor is 0."""
    sympy = need("sympy", "sympy")
    below = divisor.sympy(quantity)
    return None if below == 0 else sympy.factor(sympy.cancel(dividend.sympy(quantity) / below))
