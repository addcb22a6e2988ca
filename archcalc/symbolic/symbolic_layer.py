"""An operator over symbols, and the lines of a derivation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.ops.arguments import Integer, Or, PerDimension, Real, Sides
from archcalc.ops.declaring import Argument
from archcalc.ops.naming import AxisNames, letters_of, usual_names
from archcalc.ops.operator import Operator
from archcalc.structs import Struct
from archcalc.symbolic.polynomials import Symbol
from archcalc.symbolic.terms import NumberTerm, Term, TermBuilder, steps, with_numbers
from archcalc.symbolic.traced import Trace, Traced

LETTERS = {
    "channels": "C'",
    "features": "F",
    "kernel": "K",
    "stride": "S",
    "padding": "P",
    "dilation": "d",
    "groups": "G",
    "heads": "h",
    "window": "M",
}
"""Letters for arguments; other arguments have their own name."""
OUTPUT_PLACE, INPUT_PLACE, ARGUMENT_PLACE, OTHER_PLACE = 0, 10, 50, 90


class Line(Struct):
    """``symbol = term = term = … = value`` with its unit, or only a remark in words."""

    symbol: str
    terms: tuple[Term, ...] = ()
    unit: str = ""
    remark: str = ""


class Meaning(NamedTuple):
    """What a letter means: the channels of the input, the kernel."""

    what: str
    """The name of an axis or of an argument; empty for an axis of which nothing is known."""
    whose: str = ""
    """`input`, `input 2` or `output`; empty for an argument."""


SAMPLES = Meaning("samples of the batch")
ITEMSIZE = Meaning("bytes of an element")


class CallAxes(NamedTuple):
    """What the axes of an operator's inputs and of its output are."""

    inputs: tuple[AxisNames, ...]
    output: AxisNames


class SymbolicLayer:
    """An operator over symbols: for the sizes of its inputs, and for its arguments."""

    def __init__(
        self,
        kind: type[Operator],
        inputs: Sequence[Sequence[int]],
        given: Mapping[str, Any],
        trace: Trace,
        axes: CallAxes | None = None,
        output: Sequence[int] = (),
    ):
        self.trace = trace
        taken = axes.inputs if axes else [usual_names(len(shape)) for shape in inputs]
        self.meaning: dict[str, Meaning] = {}
        many = len(inputs) > 1
        shapes: list[tuple[Any, ...]] = [
            tuple(
                self.symbol(f"{letter}{number if many else ''}", INPUT_PLACE + axis, size, Meaning(name, whose))
                for axis, (letter, name, size) in enumerate(zip(letters_of(names), names, shape, strict=True))
            )
            for number, (names, shape) in enumerate(zip(taken, inputs, strict=True), 1)
            for whose in [f"input {number}" if many else "input"]
        ]
        letters = LETTERS
        if len(shapes[0]) == 1:
            letters = {**LETTERS, "features": "C'"}
        elif tuple(output[-1:]) == (given.get("features"),):  # those inside a layer may be others than the output's
            letters = {**LETTERS, "features": f"{letters_of(taken[0])[-1]}'"}
        arguments = {
            name: self.argument(kind.arguments[name], value, position, letters)
            for position, (name, value) in enumerate(given.items())
            if name in kind.arguments
        }
        self.op = kind(shapes, **arguments)
        self.derived = self.op.output
        """Output sizes as functions of the input sizes."""
        self.made = axes.output if axes else usual_names(len(self.derived))
        self.output_names = [f"{letter}'" for letter in letters_of(self.made)]

    def symbol(self, name: str, place: int, value: int, meaning: Meaning) -> Traced:
        self.meaning[name] = meaning
        return self.trace.symbol(Symbol(name, least=0, place=place), value)

    def argument(self, argument: Argument, value: Any, position: int, letters: dict[str, str]) -> Any:
        """Return an argument with symbols for its sizes; equal sizes in all dimensions are one symbol.

        An argument at its default (stride 1, one group) stays a number.
        """
        if not is_size(argument.type) or value == argument.default:
            return value
        order = list(LETTERS)
        place = ARGUMENT_PLACE + (order.index(argument.name) if argument.name in order else len(order) + position)
        letter = letters.get(argument.name, argument.name)
        if letter in self.meaning:  # an axis of the input has it
            letter = argument.name

        def traced(part: Any, suffix: str) -> Any:
            if isinstance(part, (list, tuple)):
                if len({str(item) for item in part}) == 1 and not isinstance(part[0], (list, tuple)):
                    return [traced(part[0], suffix)] * len(part)
                return [traced(item, f"{suffix}_{number + 1}") for number, item in enumerate(part)]
            if isinstance(part, bool) or not isinstance(part, int):
                return part
            if letter.endswith("'"):
                return self.symbol(letter, OUTPUT_PLACE, part, Meaning(argument.name, "output"))
            return self.symbol(letter + suffix, place, part, Meaning(argument.name))

        return traced(value, "")

    def name_output(self) -> None:
        """Make the output sizes symbols for the rules that follow: `C'·H'·W'`."""
        output = tuple(
            size
            if not isinstance(size, Traced) or name == str(next(iter(size.polynomial.symbols)).name)
            else self.symbol(self.free(name), OUTPUT_PLACE + axis, size.value, Meaning(self.made[axis], "output"))
            for axis, (name, size) in enumerate(zip(self.output_names, self.derived, strict=True))
        )
        self.op = self.op.with_output(output)

    def free(self, name: str) -> str:
        """Return the name, with more primes if it is in use."""
        while name in self.meaning:
            name += "'"
        return name

    def line(self, symbol: str, number: Any, unit: str = "") -> Line:
        """Return the derivation of a number."""
        return Line(symbol, worked_out(number, self.trace), unit)


def is_size(type_: Any) -> bool:
    """True if the values of an argument are sizes, not axes or words."""
    if isinstance(type_, (PerDimension, Sides)):
        return is_size(type_.item) or not isinstance(type_.item, Real)
    if isinstance(type_, Or):
        return is_size(type_.other)
    return isinstance(type_, Integer) and type_.least is not None


def worked_out(number: Any, trace: Trace) -> tuple[Term, ...]:
    """Return the formula, the formula with numbers, and each step to the result."""
    if not isinstance(number, Traced):
        return (NumberTerm(number),)
    formula = TermBuilder(trace.values).write(number.polynomial)
    values = {symbol.name: value for symbol, value in trace.values.items()}
    return (formula, *steps(with_numbers(formula, values)))
