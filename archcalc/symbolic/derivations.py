"""Why a number is what it is: the operator's own rule, run over traced numbers, written as on a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from archcalc.analysis.conventions import Convention
from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.arithmetic import ShapeError, product
from archcalc.errors import OperatorCall, UserError
from archcalc.network import Layer, Network
from archcalc.ops.arguments import Argument, Integer, Or, PerDimension, Real, Sides
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import Window
from archcalc.receptive.fields import FieldPropagation, Span
from archcalc.symbolic.polynomials import Symbol
from archcalc.symbolic.terms import NumberTerm, Quotient, SymbolTerm, Term, TermBuilder, steps, with_numbers
from archcalc.symbolic.traced import Guard, Trace, Traced, Undecided, polynomial_of

DERIVED = ("output", "memory", "params", "macs", "flops", "rf")
LETTERS = {
    "channels": "C'",
    "features": "C'",
    "kernel": "K",
    "stride": "S",
    "padding": "P",
    "dilation": "d",
    "groups": "G",
    "heads": "h",
    "window": "M",
}
"""What people write for an argument; others are called by their own name."""
AXES = {1: ("C",), 2: ("C", "L"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}
_OUTPUT, _INPUT, _ARGUMENT, _OTHER = 0, 10, 50, 90


@dataclass(frozen=True)
class Line:
    """``symbol = term = term = … = value``, with its unit; or a remark in words alone."""

    symbol: str
    terms: tuple[Term, ...] = ()
    unit: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Explanation:
    """One quantity of one layer."""

    layer: str
    quantity: str
    heading: str
    lines: tuple[Line, ...]


class SymbolicLayer:
    """An application of an operator over symbols: sizes of the input, and arguments that were given."""

    def __init__(self, kind: type[Operator], inputs: Sequence[Sequence[int]], given: Mapping[str, Any], trace: Trace):
        self.trace = trace
        self.meaning: dict[str, str] = {}
        many = len(inputs) > 1
        shapes: list[tuple[Any, ...]] = [
            tuple(
                self.symbol(f"{name}{number + 1 if many else ''}", _INPUT + at, size, "of the input")
                for at, (name, size) in enumerate(zip(axis_names(len(shape)), shape, strict=True))
            )
            for number, shape in enumerate(inputs)
        ]
        # Where the input has more axes than one, a linear layer's features are not the first of the output's.
        letters = LETTERS if len(shapes[0]) == 1 else {**LETTERS, "features": "F"}
        arguments = {
            name: self.argument(kind.arguments[name], value, at, letters)
            for at, (name, value) in enumerate(given.items())
            if name in kind.arguments
        }
        self.op = kind(shapes, **arguments)
        self.derived = self.op.output
        """Each size of the output, as the rule makes it of the input."""
        names = axis_names(len(self.derived))
        self.output_names = [f"{name}'" for name in names]

    def symbol(self, name: str, place: int, value: int, meaning: str) -> Traced:
        """A new symbol."""
        self.meaning[name] = meaning
        return self.trace.symbol(Symbol(name, least=0, place=place), value)

    def argument(self, argument: Argument, value: Any, at: int, letters: dict[str, str]) -> Any:
        """An argument with symbols for its sizes; one that is the same everywhere is one symbol.

        What is as it is by default (stride 1, one group) stays a number, and vanishes.
        """
        if not is_size(argument.type) or value == argument.default:
            return value
        order = list(LETTERS)
        place = _ARGUMENT + (order.index(argument.name) if argument.name in order else len(order) + at)
        letter = letters.get(argument.name, argument.name)

        def traced(part: Any, suffix: str) -> Any:
            if isinstance(part, (list, tuple)):
                if len({str(one) for one in part}) == 1 and not isinstance(part[0], (list, tuple)):
                    return [traced(part[0], suffix)] * len(part)
                return [traced(one, f"{suffix}_{number + 1}") for number, one in enumerate(part)]
            if isinstance(part, bool) or not isinstance(part, int):
                return part
            if letter == "C'":
                return self.symbol(letter, _OUTPUT, part, argument.name)
            return self.symbol(letter + suffix, place, part, argument.name)

        return traced(value, "")

    def name_output(self) -> None:
        """From here on, rules see the output's sizes as symbols: `C'·H'·W'`."""
        output = tuple(
            size
            if not isinstance(size, Traced) or name == str(next(iter(size.polynomial.symbols)).name)
            else self.symbol(self.free(name), _OUTPUT + at, size.value, "of the output")
            for at, (name, size) in enumerate(zip(self.output_names, self.derived, strict=True))
        )
        self.op = self.op.with_shapes(self.op.inputs, output)

    def free(self, name: str) -> str:
        """The name, with more marks where an argument has it already."""
        while name in self.meaning:
            name += "'"
        return name

    def line(self, symbol: str, number: Any, unit: str = "") -> Line:
        """A number of this run, derived."""
        return Line(symbol, worked_out(number, self.trace), unit)


def axis_names(count: int) -> tuple[str, ...]:
    """What people call the axes of a shape."""
    return AXES.get(count) or tuple(f"N{at}" for at in range(count))


def is_size(type_: Any) -> bool:
    """Whether values of an argument are sizes, and not places or words."""
    if isinstance(type_, (PerDimension, Sides)):
        return is_size(type_.item) or not isinstance(type_.item, Real)
    if isinstance(type_, Or):
        return is_size(type_.other)
    return isinstance(type_, Integer) and type_.least is not None


def worked_out(number: Any, trace: Trace) -> tuple[Term, ...]:
    """The formula, the formula with numbers, and each step to the result."""
    if not isinstance(number, Traced):
        return (NumberTerm(number),)
    formula = TermBuilder(trace.values).write(number.polynomial)
    values = {symbol.name: value for symbol, value in trace.values.items()}
    return (formula, *steps(with_numbers(formula, values)))


def explain(
    network: Network,
    name: str,
    quantities: Sequence[str] = DERIVED,
    counting: Counting = DEFAULT,
    *,
    propagation: FieldPropagation | None = None,
) -> list[Explanation]:
    """How the numbers of a layer come about, as ``counting`` counts them.

    Who explains many layers hands in a `FieldPropagation`, once for all.

    Raises `UnknownLayer` for an unknown layer, `UserError` for an unknown quantity.
    """
    layer = network[name]
    found = []
    for quantity in quantities:
        if quantity not in DERIVED:
            raise UserError(f"there is no quantity '{quantity}'; possible: {', '.join(DERIVED)}")
        if quantity == "rf":
            heading, lines = _receptive(propagation or FieldPropagation(network), layer)
        else:
            heading, lines = _derived(layer.op, layer.shares, quantity, counting)
        found.append(Explanation(name, quantity, heading, tuple(lines)))
    return found


@lru_cache(maxsize=4096)
def _derived(op: Operator, shares: str | None, quantity: str, counting: Counting) -> tuple[str, list[Line]]:
    """What is the same for an application of an operator wherever it stands: heading and lines."""
    subject = _subject_of(op)
    if quantity == "output":
        return "output shape", _sizes(subject)
    subject.name_output()
    samples = subject.symbol("N", -1, counting.batch, "samples") if counting.batch > 1 else 1
    if quantity == "memory":
        return _memory(op, subject, samples, counting)
    if quantity == "params":
        return _params(shares, subject)
    if quantity == "macs":
        return _macs(subject, samples)
    return _flops(subject, samples, counting.rule)


def _subject_of(op: Operator) -> SymbolicLayer:
    return SymbolicLayer(type(op), op.inputs, op.given, Trace())


def _sizes(subject: SymbolicLayer) -> list[Line]:
    """Each size of the output; one that comes about as another did is said to be like it."""
    lines: list[Line] = []
    known: dict[tuple[Term, ...], str] = {}
    first, *others = zip(subject.output_names, subject.derived, strict=True)
    for name, size in (first, *reversed(others)):  # the width is what people derive; the height is like it
        line = subject.line(name, size)
        same = known.setdefault(line.terms[1:], name)
        if line.terms and isinstance(line.terms[0], SymbolTerm) and line.terms[0].name == name:
            line = Line(name, line.terms[1:])
        lines.append(Line(name, (SymbolTerm(same), line.terms[-1])) if same != name and len(line.terms) > 3 else line)
    return lines


def _memory(op: Operator, subject: SymbolicLayer, samples: Any, counting: Counting) -> tuple[str, list[Line]]:
    rule = counting.rule
    heading = f"memory of the output ({rule.name}, {counting.dtype})"
    if op.category in rule.in_place:
        return heading, [Line("memory", (NumberTerm(0),), "B", f"{op.category} works in place")]
    size = subject.symbol("B", _OTHER, counting.itemsize, "bytes of a number")
    total = samples * subject.op.elements * size
    line = subject.line("memory", total, "B")
    in_bytes = polynomial_of(total).evaluate(subject.trace.values)
    return heading, [line, Line("memory", tuple(steps(Quotient(NumberTerm(in_bytes), NumberTerm(1024)))), "KiB")]


def _params(shares: str | None, subject: SymbolicLayer) -> tuple[str, list[Line]]:
    if shares is not None:
        return "parameters", [Line("params", (NumberTerm(0),), "", f"the weights are those of {shares}")]
    shapes = subject.op.weights()
    lines = []
    if len(shapes) > 1:
        lines = [subject.line(name or "weight", product(shape)) for name, shape in shapes.items()]
    return "parameters", [*lines, subject.line("params", sum(map(product, shapes.values())))]


def _macs(subject: SymbolicLayer, samples: Any) -> tuple[str, list[Line]]:
    work = subject.op.work()
    return "multiply-adds", [subject.line("MACs", samples * (work.get("mac", 0) + work.get("matmul", 0)))]


def _flops(subject: SymbolicLayer, samples: Any, rule: Convention) -> tuple[str, list[Line]]:
    return f"{rule.name} FLOPs", [subject.line("FLOPs", samples * rule.flops(subject.op, subject.op.work()))]


@lru_cache(maxsize=512)
def _accesses_of(op: Operator) -> tuple[SymbolicLayer, Sequence[Sequence[Any]]]:
    """How an application looks at each input, over symbols; what is seen before is named anew for every layer."""
    subject = _subject_of(op)
    subject.name_output()
    return subject, subject.op.accesses()


def _receptive(propagation: FieldPropagation, layer: Layer) -> tuple[str, list[Line]]:
    heading = "receptive field"
    views = [propagation.states[source] for source in layer.inputs]
    view = propagation.states[layer.name]
    if not view.spans:
        return heading, [Line("R'", remark="every position sees the whole input")]
    dimension = max(view.spans)
    subject, accesses = _accesses_of(layer.op)
    after = []
    for number, (before, access) in enumerate(zip(views, accesses, strict=True), 1):
        suffix = str(number) if len(views) > 1 else ""
        axis = next((at for at, axes in enumerate(before.axes) if dimension in axes), None)
        span = before.spans.get(dimension)
        if span is None or axis is None:
            continue
        look = access[axis]
        jump = subject.symbol(f"J{suffix}", _INPUT + 8, span.stride, "input positions between neighbours before")
        size = subject.symbol(f"R{suffix}", _INPUT + 7, span.last - span.first + 1, "receptive field before")
        start = subject.symbol(f"A{suffix}", _INPUT + 9, span.first, "first position seen before")
        seen = Span(jump, start, start + size - 1)
        after.append(seen.through(look) if isinstance(look, Window) else seen)
    union = after[0]
    for other in after[1:]:
        union = union.hull(other)
    lines = [subject.line("R'", union.last - union.first + 1), subject.line("J'", union.stride)]
    if view.whole:
        lines.append(Line("R'", remark="along the spatial path; a gate or attention sees the whole input"))
    return heading, lines


def explain_failure(call: OperatorCall) -> list[Explanation]:
    """Why an operator refuses what it is given: the condition that fails, and the sizes that would come out."""
    trace = Trace()
    lines: list[Line] = []
    try:
        SymbolicLayer(call.kind, call.inputs, call.given, trace)
    except ShapeError as error:
        lines.append(Line("", remark=str(error)))
        if trace.guards:
            lines += _failing(list(trace.guards)[-1], trace)
    try:
        subject = SymbolicLayer(call.kind, call.inputs, call.given, Undecided())
    except (TypeError, ValueError):
        return [Explanation(call.layer, "failure", "why it fails", tuple(lines))]
    found = [Explanation(call.layer, "failure", "why it fails", tuple(lines))]
    return [*found, Explanation(call.layer, "output", "output shape, had it gone on", tuple(_sizes(subject)))]


def _failing(guard: Guard, trace: Trace) -> list[Line]:
    """Both sides of a condition."""
    words = {"==": "equal", "!=": "different", ">=": "not below", "<": "below"}[guard.relation]
    sides = [worked_out(trace.number(side), trace) for side in (guard.left, guard.right)]
    return [
        Line("left", sides[0]),
        Line("right", sides[1], remark=f"the left side is {words} {'to' if guard.relation == '==' else 'the right'}"),
    ]
