"""Closed forms: the numbers of a whole network as functions of what is left open.

The network is built and analyzed once over traced numbers. What was decided on the way are the conditions under which
the formula is the table; those that always hold are dropped. A number that was counted with (``repeat: n``) is found
by Newton's interpolation over several counts, and two more must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archcalc.analysis.costs import analyze
from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.errors import SpecError, UserError
from archcalc.network import Network
from archcalc.quantities.quantity import refuse_uncounted
from archcalc.quantities.table import FORMULAS, choose
from archcalc.requirements import need
from archcalc.symbolic.polynomials import Exact, Function, Polynomial, Symbol
from archcalc.symbolic.traced import Guard, Trace, polynomial_of

if TYPE_CHECKING:
    import sympy

    from archcalc.language.family import Family

DEGREE = 4
"""Sums over a count are looked for up to this power of it."""


@dataclass(frozen=True)
class Formulas:
    """Closed forms of one family of networks, and where they hold."""

    name: str
    forms: Mapping[str, Polynomial]
    guards: tuple[Guard, ...]
    """Conditions that do not always hold."""
    symbols: tuple[Symbol, ...]

    def evaluate(self, quantity: str, **numbers: Any) -> Any:
        """The number for given values of the symbols."""
        return self.forms[quantity].evaluate({symbol: numbers[symbol.name] for symbol in self.symbols})

    def holds(self, **numbers: Any) -> bool:
        """Whether the closed forms are valid there."""
        values = {symbol: numbers[symbol.name] for symbol in self.symbols}
        return all(holds(guard, values) for guard in self.guards)

    @property
    def conditions(self) -> list[Guard]:
        """The guards, numbers on the right; of several bounds of one size the largest."""
        found: dict[tuple[Polynomial, str], Exact] = {}
        for guard in self.guards:
            bound = -guard.difference.terms.get((), 0)
            key = (guard.difference + Polynomial.of(bound), guard.relation)
            found[key] = max(bound, found.get(key, bound)) if guard.relation == ">=" else bound
        return [Guard(left, relation, Polynomial.of(bound)) for (left, relation), bound in found.items()]

    def sympy(self, quantity: str) -> sympy.Expr:
        """The closed form as a SymPy expression over positive integer symbols."""
        return to_sympy(self.forms[quantity])


def holds(guard: Guard, values: Mapping[Symbol, Any]) -> bool:
    """Whether a condition holds for given values."""
    difference = guard.difference.evaluate(values)
    return bool(
        {"==": difference == 0, "!=": difference != 0, ">=": difference >= 0, "<": difference < 0}[guard.relation]
    )


def formulas(
    family: Family,
    quantities: Sequence[str] = ("params", "macs"),
    counting: Counting = DEFAULT,
) -> Formulas:
    """The closed forms of a family of networks.

    Raises `UserError` for an unknown quantity, `SpecError` where the network cannot be built.
    """
    if not family.samples:
        raise SpecError("nothing is left open: say what varies with --let NAME=EXPRESSION, such as --let H=32*h")
    symbols = {name: Symbol(name, place=at) for at, name in enumerate(family.samples)}

    def run(values: Mapping[str, int]) -> tuple[dict[str, Polynomial], list[Guard]]:
        trace = Trace()
        numbers = {name: trace.symbol(symbol, values[name]) for name, symbol in symbols.items()}
        network = family.network(numbers)
        sizes = measured(network, quantities, counting)
        forms = {name: polynomial_of(size) for name, size in sizes.items()}
        return forms, [guard for guard in trace.guards if not guard.always]

    forms, guards = run(family.samples)
    counts = [symbol for symbol in symbols.values() if any(_pins(guard, symbol) for guard in guards)]
    for symbol in counts:
        if len(counts) > 1:
            names = ", ".join(one.name for one in counts)
            raise SpecError(f"only one count can be left open at once, and these are counts or decide: {names}")
        forms, guards = _summed(run, family.samples, symbol)
    return Formulas(family.name, forms, tuple(guards), tuple(symbols.values()))


def measured(network: Network, quantities: Sequence[str], counting: Counting) -> dict[str, Any]:
    """Some quantities of a network; `UserError` for an unknown one, or one that the network does not have."""
    chosen = choose(quantities, FORMULAS)
    analysis = analyze(network, counting)
    refuse_uncounted([FORMULAS[name] for name in chosen], analysis)
    found = {name: FORMULAS[name].of_network(analysis) for name in chosen}
    for name, value in found.items():
        if value is None:
            raise UserError(f"{network.name} has no {FORMULAS[name].heading}: no layer's positions have a place")
    return found


def _pins(guard: Guard, symbol: Symbol) -> bool:
    return guard.relation == "==" and guard.left == Polynomial.of(symbol) and guard.right.constant is not None


def _summed(run: Any, samples: Mapping[str, int], symbol: Symbol) -> tuple[dict[str, Polynomial], list[Guard]]:
    """Closed forms in a count, by interpolation over the counts 1, 2, 3, …"""
    points = range(1, DEGREE + 4)
    runs = [run({**samples, symbol.name: point}) for point in points]
    forms = {}
    for quantity in runs[0][0]:
        values = [one[0][quantity] for one in runs]
        form = _interpolated(values[: DEGREE + 1], symbol)
        for point, value in zip(points, values, strict=True):
            if form.replaced({symbol: Polynomial.of(point)}) != value:
                raise SpecError(f"{quantity} is not a polynomial in the count {symbol.name} (up to the power {DEGREE})")
        forms[quantity] = form
    guards = dict.fromkeys(guard for one in runs for guard in one[1] if symbol not in guard.difference.symbols)
    return forms, list(guards)


def _interpolated(values: Sequence[Polynomial], symbol: Symbol) -> Polynomial:
    """Newton's polynomial through ``values`` at 1, 2, 3, …"""
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

    def atom(one: Symbol | Function) -> Any:
        if isinstance(one, Symbol):
            return sympy.Symbol(one.name, integer=one.whole or None, positive=True)
        return functions[one.name](*map(to_sympy, one.arguments))

    return sympy.Add(
        *(
            sympy.Rational(factor) * sympy.Mul(*(atom(one) ** power for one, power in monomial))
            for monomial, factor in polynomial.terms.items()
        )
    )


def python_source(formulas: Formulas) -> str:
    """A Python function for each closed form, exact over whole numbers."""
    arguments = ", ".join(symbol.name for symbol in formulas.symbols)
    blocks = []
    for quantity, form in formulas.forms.items():
        blocks.append(f"def {quantity}({arguments}):\n    return {python_expression(form)}\n")
    return "\n\n".join(blocks)


def python_expression(polynomial: Polynomial, prefix: str = "") -> str:
    """The polynomial as Python source; a fraction is divided out at the end, exactly."""
    scale = polynomial.scale
    parts = []
    for monomial, factor in polynomial.times(scale).terms.items():
        top = [str(factor)] if factor != 1 or not monomial else []
        for atom, power in monomial:
            text = python_atom(atom, prefix)
            if power < 0:
                raise UserError(
                    "this closed form has a quotient that is not always an integer, so it cannot be written in Python"
                )
            top.append(text if power == 1 else f"{text}**{power}")
        parts.append("*".join(top))
    text = " + ".join(parts) or "0"
    return text if scale == 1 else f"({text}) // {scale}"


def python_atom(atom: Symbol | Function, prefix: str = "") -> str:
    """A symbol or function as Python source; ``prefix`` stands before `min`, `max` and `gcd`."""
    if isinstance(atom, Symbol):
        return atom.name
    inner = [python_expression(one, prefix) for one in atom.arguments]
    if atom.name == "floor":
        return f"(({inner[0]}) // ({inner[1]}))"
    return f"{prefix}{atom.name}({', '.join(inner)})"


def ratio_of_formulas(one: Formulas, other: Formulas, quantity: str) -> Any:
    """The quotient of two closed forms, simplified, as a SymPy expression; None where the divisor is 0."""
    sympy = need("sympy", "sympy")
    divisor = other.sympy(quantity)
    return None if divisor == 0 else sympy.factor(sympy.cancel(one.sympy(quantity) / divisor))
