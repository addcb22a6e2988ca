"""Derivations of what a whole network takes: the parts of its memory, and their sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archcalc.analysis import Analysis
from archcalc.arithmetic import product
from archcalc.dtypes import BITS
from archcalc.errors import UserError
from archcalc.memory.estimating import estimate_note
from archcalc.memory.generation import cache_bytes
from archcalc.memory.summary import memory, training_parts
from archcalc.memory.training import saved_by_layer
from archcalc.quantities.table import QUANTITIES
from archcalc.symbolic.derivations import Explanation
from archcalc.symbolic.polynomials import Symbol
from archcalc.symbolic.symbolic_layer import Line, worked_out
from archcalc.symbolic.terms import NumberTerm
from archcalc.symbolic.traced import Trace
from archcalc.words import help_line, nearest_or_all, quote

MOST_NAMED = 5
"""The number of layers that are named."""


def explain_network(analysis: Analysis, quantities: Sequence[str]) -> list[Explanation]:
    """Return the derivations of a network's quantities, in the order asked.

    Raises:
        UserError: for an unknown quantity.
    """
    found = []
    for quantity in quantities:
        if quantity not in OF_NETWORK:
            raise UserError(f"unknown quantity {quote(quantity)}{nearest_or_all(quantity, OF_NETWORK)}")
        heading, derive = OF_NETWORK[quantity]
        lines = derive(analysis)
        note = estimate_note(analysis.network) if QUANTITIES[quantity].is_simulated else ""
        if note:
            heading, lines = f"{heading}, estimated", [*lines, Line("", remark=note)]
        found.append(Explanation(analysis.network.name, quantity, heading, tuple(lines)))
    return found


TOTAL = "total"
SUMMED = {
    "params": ("params", "parameters"),
    "macs": ("MACs", "multiply-adds"),
    "flops": ("FLOPs", "FLOPs"),
    "memory": ("memory", "memory of the outputs"),
}
"""The quantities that are summed over the layers of a group or of the network: their symbols and their names."""


def explain_sum(analysis: Analysis, name: str, quantities: Sequence[str]) -> list[Explanation]:
    """Return the sums of a group's layers, or of all layers for `total`: the largest by name, then the others.

    Raises:
        UserError: for a quantity that is not a sum.
    """
    rows = [row for row in analysis.rows if name == TOTAL or row.name.startswith(f"{name}.")]
    found = []
    for quantity in quantities:
        if quantity not in SUMMED:
            raise UserError(f"{quantity} is not a sum over layers{help_line('use one of: ' + ', '.join(SUMMED))}")
        values = {row.name: int(getattr(row, quantity)) for row in rows}
        largest = sorted((part for part in values if values[part]), key=lambda part: -values[part])[:MOST_NAMED]
        parts = [(part, values[part]) for part in largest]
        others = [part for part in values if values[part] and part not in largest]
        if others:
            parts.append((f"{len(others)} others", sum(values[part] for part in others)))
        unit = "B" if quantity == "memory" else ""
        lines = [Line(of, (NumberTerm(value),), unit) for of, value in parts]
        symbol, called = SUMMED[quantity]
        rule = f"{analysis.convention.name} " if quantity == "flops" else ""
        heading = f"{rule}{called}, the sum over {len(rows)} layers"
        total = Line(symbol, (NumberTerm(sum(values.values())),), unit)
        found.append(Explanation(name, quantity, heading, (*lines, total)))
    return found


def _line(
    symbol: str, names: Sequence[tuple[str, Any]], total: Callable[[Sequence[Any]], Any], remark: str = ""
) -> Line:
    """Return the line of a product or a sum of named numbers, in bytes."""
    trace = Trace()
    numbers = [trace.symbol(Symbol(name, least=0, place=place), value) for place, (name, value) in enumerate(names)]
    return Line(symbol, worked_out(total(numbers), trace), "B", remark)


def _elements(symbol: str, size: Any, params: Any, dtype: str, what: str) -> Line:
    """Return bytes as elements times their size, or, of mixed types, as they are."""
    if BITS[dtype] % 8 == 0 and params and size % (params * (BITS[dtype] // 8)) == 0:
        times = size // (params * (BITS[dtype] // 8))
        factors = [("P", params), ("B", BITS[dtype] // 8)]
        return _line(symbol, [*([("s", times)] if times != 1 else []), *factors], product, what)
    return Line(symbol, (NumberTerm(size),), "B", what)


def _weights(analysis: Analysis) -> list[Line]:
    totals, roles = analysis.totals, analysis.counting.roles
    what = f"P parameters in {roles.weights}" if not roles.quantized else f"as {roles.name} stores them"
    return [_elements("weights", totals.weight_memory, totals.params, roles.weights, what)]


def _saved(analysis: Analysis) -> list[Line]:
    by_layer = saved_by_layer(analysis)
    largest = sorted(by_layer.items(), key=lambda item: -item[1])[:MOST_NAMED]
    lines = [Line(f"saved by {name}", (NumberTerm(size),), "B") for name, size in largest]
    rest = sum(by_layer.values()) - sum(size for _, size in largest)
    others = len(by_layer) - len(largest)
    if others > 0:
        lines.append(Line(f"saved by {others} other layers", (NumberTerm(rest),), "B"))
    return [
        *lines,
        Line("saved", (NumberTerm(sum(by_layer.values())),), "B", "each tensor at the first layer that saves it"),
    ]


def _training(analysis: Analysis) -> list[Line]:
    parts, totals, roles = training_parts(analysis), analysis.totals, analysis.counting.roles
    trained = totals.trained_params
    lines = _weights(analysis)
    lines.append(Line("buffers", (NumberTerm(parts.buffers),), "B", "running statistics and the like"))
    lines.append(_elements("gradients", parts.gradients, trained, roles.gradients, f"P trained, in {roles.gradients}"))
    lines.append(_elements("state", parts.state, trained, roles.state, f"s = 2 numbers of Adam, in {roles.state}"))
    if parts.master:
        lines.append(_elements("master", parts.master, trained, roles.master, f"a copy in {roles.master}"))
    lines += _saved(analysis)
    lines.append(_line("training memory", [(name, size) for name, size in parts._asdict().items() if size], sum))
    peak = memory(analysis, "training", "adam").peak
    return [*lines, Line("peak", (NumberTerm(peak),), "B", "of archcalc memory --mode training --optimizer adam")]


def _cache(analysis: Analysis) -> list[Line]:
    roles = analysis.counting.roles
    dtype = roles.cache or roles.activations
    tokens = next(iter(analysis.network.inputs.values()))[0]
    layers = [row for row in analysis.rows if row.layer.op.cached_elements()]
    kept = sum(row.layer.op.cached_elements() for row in layers)
    lines = [Line("E", (NumberTerm(kept),), "", f"keys and values of a token, in {len(layers)} attentions")]
    factors = [("E", kept), ("L", tokens), ("N", analysis.batch)]
    if BITS[dtype] % 8 == 0:
        return [
            *lines,
            _line("cache", [*factors, ("B", BITS[dtype] // 8)], product, f"L tokens, N sequences, in {dtype}"),
        ]
    return [*lines, Line("cache", (NumberTerm(cache_bytes(analysis)),), "B", f"in {dtype}")]


OF_NETWORK: dict[str, tuple[str, Callable[[Analysis], list[Line]]]] = {
    "weight_memory": ("weight memory", _weights),
    "saved_memory": ("memory that autograd saves", _saved),
    "training_memory": ("memory of a training step with Adam", _training),
    "cache_memory": ("memory of keys and values", _cache),
}
"""The quantities of a whole network that are derived."""
