"""Exercises on random layers, with an answer key: the same seed gives the same exercises.

A layer is an operator with arguments drawn from what lectures use, kept if it fits its input and its windows cover the
input to the last row. All chances come from `random.Random(seed).random()`, the one method whose sequence Python
promises to keep for a seed from version to version.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import cycle, islice
from typing import Any, TypeVar

from archcalc.analysis import analyze
from archcalc.analysis.costs import Analysis, LayerCosts
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape, ShapeError, product
from archcalc.errors import SpecError
from archcalc.language.library import loads
from archcalc.network import Network
from archcalc.ops import registry
from archcalc.ops.arguments import BadArgument
from archcalc.ops.operator import Operator
from archcalc.ops.reads import Reads
from archcalc.quantities.table import COLUMNS
from archcalc.structs import Struct
from archcalc.symbolic.derivations import Explanation, explain
from archcalc.words import did_you_mean, nearest_or_all, quote

T = TypeVar("T")
Wanted = list[tuple[str, str | None]]
"""Quantities to ask, each with its layer, or None for the sum over all."""
Drawn = tuple[str, Callable[[Analysis], Wanted]]
"""A spec, and what to ask of it."""
Maker = Callable[["Draw"], Drawn]
TRIES = 2000
MOST_EXERCISES = 1000

SIDES = (6, 7, 8, 12, 13, 14, 16, 24, 27, 28, 32, 48, 55, 56, 64, 112, 128, 224, 227)
DEPTHS = (1, 3, 3, 6, 16, 32, 48, 64, 96, 128, 192, 256)
WIDTHS = (84, 100, 120, 128, 256, 400, 512, 1024, 2048, 4096)

ARGUMENTS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "": {
        "channels": (6, 8, 16, 32, 64, 96, 128, 192, 256, 384),
        "features": (10, 64, 84, 100, 120, 128, 256, 512, 1000, 4096),
        "kernel": (1, 3, 3, 3, 5, 5, 7, 11),
        "stride": (1, 1, 1, 2, 2, 4),
        "padding": (0, 0, 1, 1, 2, 2, 3, 5),
        "dilation": (1, 1, 1, 1, 1, 2),
        "groups": (1, 1, 1, 1, 2, 4, 8),
        "bias": (True, True, False),
        "size": (1, 3, 5, 7),
    },
    "pooling": {"kernel": (2, 2, 3), "stride": (2, 2, 2, 1, 3), "padding": (0, 0, 0, 1), "dilation": (1,)},
}
"""The values of arguments by name: the category's own before those for all."""

EASY: Mapping[str, Sequence[Any]] = {
    "channels": (4, 6, 8, 10, 16, 20, 32),
    "features": (10, 20, 50, 100),
    "kernel": (3, 3, 5),
    "stride": (1, 1, 2),
    "padding": (0, 0, 1),
    "dilation": (1,),
    "groups": (1,),
    "bias": (True,),
}
HARD: Mapping[str, Sequence[Any]] = {
    "kernel": (3, 3, 5, 7),
    "stride": (1, 2, 2, 3, 4),
    "padding": (0, 1, 2, 3, 4, 6),
    "dilation": (1, 1, 2, 3),
    "groups": (1, 2, 4, 8),
    "bias": (True, False),
}
LEVELS: Mapping[str, Mapping[str, Sequence[Any]]] = {"easy": EASY, "medium": {}, "hard": HARD}
"""The values of arguments at each difficulty, before those for all."""

UNSAID = ("dilation", "groups")
"""Arguments that an exercise does not mention at their defaults."""


class Ask(Struct):
    """A quantity to compute by hand, with its right answer."""

    quantity: str
    """`output`, `params`, `macs`, `flops`, `memory` or `receptive`."""
    layer: str | None
    """The layer of the quantity; None for the sum over all layers."""
    answer: Shape | int
    """A shape per sample, or a number for one sample; memory in bytes."""
    derivation: tuple[Explanation, ...]

    @property
    def is_shape(self) -> bool:
        """True if the answer has several sizes."""
        return isinstance(self.answer, tuple) and len(self.answer) > 1


class Exercise(Struct):
    """A small network, and the quantities to compute."""

    number: int
    topic: str
    spec: str
    """The network as a spec."""
    network: Network
    asks: tuple[Ask, ...]


class Draw:
    """A random generator that gives the same sequence for a seed on every platform and Python version."""

    def __init__(self, seed: int, level: str = "medium") -> None:
        self._random = random.Random(seed).random
        self.level = level

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self._random() * len(values))]

    def some(self, values: Sequence[T], count: int) -> list[T]:
        """Return that many of the values, or all if there are fewer, in their order."""
        chosen: list[int] = []
        while len(chosen) < min(count, len(values)):
            index = self.pick(range(len(values)))
            if index not in chosen:
                chosen.append(index)
        return [values[index] for index in sorted(chosen)]

    def image(self) -> Shape:
        """Return the shape of an image or of a feature map."""
        side = self.pick(SIDES)
        return (self.pick(DEPTHS), side, side)

    def vector(self) -> Shape:
        """Return the shape of a vector of features."""
        return (self.pick(WIDTHS),)


INPUTS: Mapping[str, Callable[[Draw], Shape]] = {"linear": Draw.vector}
"""The input shapes of categories whose layers do not take images."""


def quiz(
    seed: int,
    count: int,
    topics: Sequence[str] = ("conv", "pool", "linear", "rf", "chain"),
    level: str = "medium",
) -> list[Exercise]:
    """Return ``count`` exercises, the topics in turn.

    A topic is an operator (`conv`), a category of operators or its beginning (`pooling`, `norm`), `rf` for the
    receptive field of a stack of layers, or `chain` for the totals of one. The level is `easy`, `medium` or `hard`.
    Raises `SpecError` for another.
    """
    if not 1 <= count <= MOST_EXERCISES:
        raise SpecError(f"--count takes 1 to {MOST_EXERCISES} exercises, got {count}")
    makers = [maker_of(topic) for topic in topics]
    if level not in LEVELS:
        raise SpecError(f"unknown difficulty {quote(level)}{did_you_mean(level, LEVELS)}")
    draw = Draw(seed, level)
    turns = islice(cycle(zip(topics, makers, strict=True)), count)
    return [_exercise(number, topic, make(draw)) for number, (topic, make) in enumerate(turns, 1)]


def maker_of(topic: str) -> Maker:
    """Return what draws a spec and its questions on a topic."""
    if topic in STACKS:
        return STACKS[topic]
    kinds = [registry()[topic]] if topic in registry() else _category(topic)
    able = [kind for kind in kinds if _can_be_drawn(kind)]
    if not able:
        raise SpecError(f"unknown topic {quote(topic)}{nearest_or_all(topic, topic_names())}")
    return lambda draw: _one_layer(draw, able)


def topic_names() -> list[str]:
    """Return every topic: stacks, categories and operators."""
    able = [kind for kind in registry().values() if _can_be_drawn(kind)]
    return list(dict.fromkeys([*STACKS, *(kind.category for kind in able), *(kind.kind for kind in able)]))


def _category(name: str) -> list[type[Operator]]:
    """Return the operators of a category, whose name may be cut after three letters."""
    return [kind for kind in registry().values() if len(name) >= 3 and kind.category.startswith(name)]


@cache
def _can_be_drawn(kind: type[Operator]) -> bool:
    """Return True if exercises on it are possible: one input of numbers, and values for all arguments."""
    known = {**ARGUMENTS[""], **ARGUMENTS.get(kind.category, {})}
    needed = [argument.name for argument in kind.arguments.values() if argument.required]
    if kind.joins or kind.takes_indices or not all(name in known for name in needed):
        return False
    draw = Draw(0)
    for _ in range(TRIES // 10):
        shape = INPUTS.get(kind.category, Draw.image)(draw)
        given = _draw_layer(draw, kind, shape)
        if given is not None:
            op = kind([shape], **given)
            return bool(op.weights()) or op.output != op.x  # else there is nothing to find
    return False


def _exercise(number: int, topic: str, drawn: Drawn) -> Exercise:
    spec, asked = drawn
    network = loads(spec)
    analysis = analyze(network)
    asks = tuple(_answer(analysis, quantity, layer) for quantity, layer in asked(analysis))
    return Exercise(number, topic, spec, network, asks)


def _answer(analysis: Analysis, quantity: str, layer: str | None) -> Ask:
    network = analysis.network
    propagation = analysis.fields.propagation
    if layer is None:  # a sum is derived by its terms
        names = [row.name for row in analysis.rows if getattr(row, quantity)]
    else:  # a receptive field is derived layer by layer
        names = [step.name for step in network.layers] if quantity == "rf" else [layer]
    derivation = tuple(
        explanation for name in names for explanation in explain(network, name, (quantity,), propagation=propagation)
    )
    if layer is None:
        return Ask(quantity, None, getattr(analysis.totals, quantity), derivation)
    return Ask(quantity, layer, COLUMNS[quantity].of_rows(TableRow(layer, [analysis[layer]])), derivation)


# -- layers


def _draw_layer(draw: Draw, kind: type[Operator], shape: Shape) -> dict[str, Any] | None:
    """Return random arguments for an input of that shape; None if they are not sensible."""
    known = {**ARGUMENTS[""], **LEVELS[draw.level], **ARGUMENTS.get(kind.category, {})}
    given = {name: draw.pick(known[name]) for name in kind.arguments if name in known}
    try:
        op = kind([shape], **given)
    except (ShapeError, BadArgument):
        return None
    return given if _is_sensible(op) else None


def _is_sensible(op: Operator) -> bool:
    """Return True if its windows cover the input exactly, skip no row, and are padded not at all or by half."""
    for axis, look in enumerate(op.access()):
        if not isinstance(look, Reads) or look == Reads():
            continue
        before, after, taps = op.x[axis], op.output[axis], look.taps[0]
        if look.period > 1 or taps is None or not look.fills(before, after):
            return False
        reach = taps.last - taps.first + 1
        if reach == 1 and (taps.first or getattr(op, "dilation", (1,)) != (1,) * len(op.x[1:])):
            return False  # a 1×1 window with padding or dilation, which no lecturer sets
        keeps_size = -2 * taps.first == reach - 1
        if not 1 < after <= before or look.advance > reach or not (taps.first == 0 or keeps_size):
            return False
    return True


def _one_layer(draw: Draw, kinds: Sequence[type[Operator]]) -> Drawn:
    kind = draw.pick(kinds)
    shape, given = _fitting(draw, kind, INPUTS.get(kind.category, Draw.image))

    def asked(analysis: Analysis) -> Wanted:
        row = analysis.rows[0]
        return [("output", row.name), *((quantity, row.name) for quantity in draw.some(_worth_asking(row), 2))]

    return _spec(shape, [(kind, given)]), asked


def _worth_asking(row: LayerCosts) -> list[str]:
    """Return the quantities of a layer that are not tiny, and do not repeat another's number."""
    wanted = {
        "params": row.params > 0,
        "macs": row.macs > 0,
        "memory": row.memory >= 1024,
        "flops": "kernel" in row.layer.op.arguments and row.flops not in (0, row.macs),
    }
    return [name for name, worth in wanted.items() if worth]


def _fitting(draw: Draw, kind: type[Operator], inputs: Callable[[Draw], Shape]) -> tuple[Shape, dict[str, Any]]:
    """Return an input and arguments that go together."""
    for _ in range(TRIES):
        shape = inputs(draw)
        given = _draw_layer(draw, kind, shape)
        if given is not None:
            return shape, given
    raise SpecError(f"found no {kind.kind} exercise in {TRIES} tries; use another --seed")


def _stack(
    draw: Draw, categories: Sequence[str], least: int, most: int, largest: int | None = None
) -> tuple[Shape, list[Any]]:
    """Return an image and layers on it, categories in turn; ``largest`` limits the elements of the last output."""
    for _ in range(TRIES):
        side = draw.pick(SIDES[8:])
        start: Shape = (3, side, side)
        shape = start
        layers: list[Any] = []
        count = draw.pick(range(least, most + 1))
        for index in range(count):
            kind = draw.pick(_shrinking(categories[index % len(categories)]))
            drawn = (_draw_layer(draw, kind, shape) for _ in range(30))
            given = next((given for given in drawn if given is not None), None)
            if given is None:
                break
            layers.append((kind, given))
            shape = kind([shape], **given).output
        if len(layers) == count and (largest is None or product(shape) <= largest):
            return start, layers
    raise SpecError(f"found no chain of layers in {TRIES} tries; use another --seed")


@cache
def _shrinking(category: str) -> tuple[type[Operator], ...]:
    """Return the operators of a category with windows that step over whole positions."""
    return tuple(
        kind
        for kind in _category(category)
        if _can_be_drawn(kind)
        and "kernel" in kind.arguments
        and all(
            look.period == 1
            for example in kind.examples
            for look in kind(example.inputs, **example.arguments).access()
            if isinstance(look, Reads)
        )
    )


def _receptive(draw: Draw) -> Drawn:
    """Return a stack whose last layer's receptive field is asked."""
    shape, layers = _stack(draw, ("convolution", "convolution", "pooling"), 3, 5)
    return _spec(shape, layers), lambda analysis: [("rf", analysis.rows[-1].name)]


def _chain(draw: Draw) -> Drawn:
    """Return a stack with a classifier, whose last feature map and totals are asked."""
    shape, layers = _stack(draw, ("convolution", "pooling"), 2, 4, largest=10_000)
    known = registry()
    head = [(known["flatten"], {}), (known["linear"], {"features": draw.pick((10, 100, 1000)), "bias": True})]

    def asked(analysis: Analysis) -> Wanted:
        return [("output", analysis.rows[-3].name), ("params", None), ("macs", None)]

    return _spec(shape, [*layers, *head]), asked


STACKS = {"rf": _receptive, "chain": _chain}


def _spec(shape: Shape, layers: Sequence[tuple[type[Operator], Mapping[str, Any]]]) -> str:
    """Return a spec of layers one after another."""
    lines = [f"input: [{', '.join(map(str, shape))}]", "layers:"]
    for kind, given in layers:
        shown = {
            name: value for name, value in given.items() if name not in UNSAID or value != kind.arguments[name].default
        }
        arguments = "".join(f", {name}: {_yaml(value)}" for name, value in shown.items())
        lines.append(f"  - {{{kind.kind}{arguments}}}")
    return "\n".join(["name: exercise", *lines]) + "\n"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
