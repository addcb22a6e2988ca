"""Networks with free numbers: a spec with expressions for parameters and sizes, or a network on one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from archcalc.arithmetic import Shape, ShapeError, as_index
from archcalc.errors import SpecError
from archcalc.language.expression import parse_expression
from archcalc.language.values import ExpressionError
from archcalc.network import Layer, Network, Settings, Shapes
from archcalc.ops import registry
from archcalc.ops.naming import letters_of
from archcalc.words import did_you_mean, nearest_or_all, quote

SAMPLE = 24
"""Value of a free number while rules run: it has many divisors."""


class Family(Protocol):
    """Networks that differ in some numbers."""

    name: str
    samples: Mapping[str, int]
    """Free names, each with a value for which a network exists."""

    def network(self, numbers: Mapping[str, Any]) -> Network:
        """Return the network for values of the free names."""


class Expandable(Protocol):
    """What gives networks for settings and inputs: a spec, or an imported network."""

    @property
    def name(self) -> str:
        """The network's name."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Its parameters."""

    def free_dimensions(self, variant: str | None = None) -> list[str]:
        """Return the names of input sizes that need a setting."""

    def network(self, variant: str | None = None, settings: Settings = None, inputs: Shapes = None) -> Network:
        """Return the network."""


class SpecFamily:
    """A spec with ``lets``: parameters or input sizes (`C`, `H`, `W`, `L`, …) to expressions over free names.

    Of several inputs, `H` is the size of the first that has it, and of others of that size; `image_H` is that of one.

    Raises:
        SpecError: for an unknown name, or an invalid expression.
    """

    def __init__(
        self,
        spec: Expandable,
        variant: str | None,
        settings: Mapping[str, Any],
        inputs: Shapes,
        lets: Mapping[str, str],
    ) -> None:
        self.spec, self.variant, self.settings, self.inputs, self.lets = spec, variant, settings, inputs, lets
        self.name = variant or spec.name
        plain = self.spec.network(self.variant, dict(self.settings), self.inputs) if self._has_sizes() else None
        known = plain.parameters if plain else {}
        self.shapes = dict(plain.inputs) if plain else {}
        self.letters = {name: letters_of(plain.axes[name]) for name in self.shapes} if plain else {}
        self.sizes = self._sizes()
        possible = {**self.sizes, **known} | {name: self.sizes[name] for name in self.sizes if len(name) == 1}
        samples: dict[str, int] = {}
        for name, text in self.lets.items():
            if name not in possible and name not in self.spec.params and name not in self.spec.free_dimensions():
                hint = nearest_or_all(name, sorted(possible))
                raise SpecError(f"{self.name} has no parameter or size {quote(name)}{hint}")
            names = free_names(text)
            for free in names:
                samples.setdefault(free, _sample(text, names, free, possible.get(name)))
        self.samples: Mapping[str, int] = samples

    def _has_sizes(self) -> bool:
        """True if the input sizes are known without ``lets``."""
        return not set(self.spec.free_dimensions(self.variant)) - set(self.settings)

    def _sizes(self) -> dict[str, int]:
        """Return the names of the inputs' sizes, with the sizes."""
        sizes: dict[str, int] = {}
        for name, shape in self.shapes.items():
            for letter, size in zip(self.letters[name], shape, strict=True):
                sizes.setdefault(letter, size)
                if len(self.shapes) > 1:
                    sizes[f"{name}_{letter}"] = size
        return sizes

    def network(self, numbers: Mapping[str, Any]) -> Network:
        """Return the network for values of the names in ``lets``."""
        values = {name: evaluate(text, numbers) for name, text in self.lets.items()}
        settings = {**self.settings, **{name: value for name, value in values.items() if name not in self.sizes}}
        if not set(values) & set(self.sizes):
            return self.spec.network(self.variant, settings, self.inputs)
        inputs = {name: shape for name in self.shapes if (shape := self._shape(name, values)) is not None}
        return self.spec.network(self.variant, settings, {**(self.inputs or {}), **inputs})

    def _shape(self, name: str, values: Mapping[str, Any]) -> Shape | None:
        """Return the shape of an input; None if none of its sizes is set.

        An image that is square stays square: H alone means both.
        """
        sizes = dict(zip(self.letters[name], self.shapes[name], strict=True))
        meant = {letter for letter, size in sizes.items() if self.sizes[letter] == size}
        given = {letter: values[letter] for letter in meant if letter in values}
        given |= {letter: values[f"{name}_{letter}"] for letter in sizes if f"{name}_{letter}" in values}
        if "H" in given and len({size for letter, size in sizes.items() if letter in "DHW"}) == 1:
            given.setdefault("W", given["H"])
        return tuple({**sizes, **given}[letter] for letter in sizes) if given else None


def free_names(text: str) -> list[str]:
    """Return the names in an expression, in order; raise `SpecError` if it is invalid."""
    try:
        return list(parse_expression(text).names)
    except ExpressionError as error:
        raise SpecError(str(error)) from None


def evaluate(text: str, numbers: Mapping[str, Any]) -> Any:
    """Return the value of an expression; raise `SpecError` if it is invalid."""
    try:
        return parse_expression(text).evaluate(numbers)
    except ExpressionError as error:
        raise SpecError(f"{quote(text)}: {error}") from None


def _sample(text: str, names: Sequence[str], name: str, wanted: Any) -> int:
    """Return a value of a name for which the expression is the spec's own value, or `SAMPLE`."""
    if isinstance(wanted, int) and not isinstance(wanted, bool) and len(names) == 1:
        with contextlib.suppress(SpecError):  # where it is too large, or cannot be computed
            for value in range(1, 4097):
                if evaluate(text, {name: value}) == wanted:
                    return value
    return SAMPLE


# -- inline specs


class InlineSpec:
    """A network on one line: `conv 1x1 C->C/4, conv 3x3 C/4->C/4, conv 1x1 C/4->C`.

    Grammar::

        inline   = step { "," step }
        step     = operator { word } | operator "(" word { "," word } ")"
        word     = kernel | channels | argument | short
        kernel   = expression | side "x" side { "x" side }
        channels = expression ("->" | "→") expression
        argument = name "=" expression
        short    = ("s" | "p" | "d" | "g") digits

    `s2` is a stride of 2; `p` is padding, `d` dilation, `g` groups. `repeat=L` takes the step L times. The operator
    supplies missing arguments (`Operator.inline_defaults`): a convolution keeps the size and has no bias. The input
    is `[C, H, W]`, where C are the input channels of the first step.
    """

    def __init__(self, text: str) -> None:
        self.name = text
        self.steps = [_read(part.strip()) for part in split_at_commas(text) if part.strip()]
        self.start = next((step.channels[0] for step in self.steps if step.channels), "C")
        texts = [self.start, *(text for step in self.steps for text in step.expressions())]
        names = dict.fromkeys(name for text in texts for name in free_names(text))
        words = {word for step in self.steps for word in step.words()}
        open_names = [*(name for name in names if name not in words), "H", "W"]
        counts = {step.arguments["repeat"] for step in self.steps if "repeat" in step.arguments}
        self.samples: Mapping[str, int] = {
            name: 2 if name in counts else 3 if name == "K" else SAMPLE for name in open_names
        }

    def network(self, numbers: Mapping[str, Any]) -> Network:
        """Return the network for values of the free names."""
        shape: Shape = (evaluate(self.start, numbers), numbers["H"], numbers["W"])
        inputs = {"input": shape}
        layers: list[Layer] = []
        source = "input"
        for step in self.steps:
            for _ in range(step.repeat(numbers)):
                name = f"{step.kind}{len(layers) + 1}"
                try:
                    op = registry()[step.kind]([shape], **step.given(numbers, shape))
                except ShapeError as error:
                    raise SpecError(f"{quote(step.text)}: {error}") from None
                layers.append(Layer(name, op, (source,)))
                source, shape = name, op.output
        if not layers:
            raise SpecError(f"expected an operator, got {quote(self.name)}")
        return Network(self.name, inputs, tuple(layers), (source,))


@dataclass
class InlineStep:
    """One step of an inline spec, with its expressions as text."""

    text: str
    kind: str
    kernel: list[str]
    channels: tuple[str, str] | None
    arguments: dict[str, str]

    def expressions(self) -> list[str]:
        """Return every expression in it."""
        return [*self.kernel, *(self.channels or ()), *self.arguments.values()]

    def words(self) -> set[str]:
        """Return the words that are strings."""
        return {word for argument in registry()[self.kind].arguments.values() for word in argument.words}

    def repeat(self, numbers: Mapping[str, Any]) -> int:
        """Return how often the step is taken."""
        value = evaluate(self.arguments.get("repeat", "1"), numbers)
        count = as_index(value)
        if count is None or not 0 <= count <= 1000:
            raise SpecError(f"repeat must be an integer from 0 to 1000, got {value}")
        return count

    def given(self, numbers: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        """Return the operator's arguments for an input shape; raise `SpecError` if the channels do not fit."""
        kind = registry()[self.kind]
        given: dict[str, Any] = {}
        if self.kernel:
            values = [evaluate(text, numbers) for text in self.kernel]
            if "kernel" not in kind.arguments:
                given[kind.principal() or "value"] = values[0]
            else:
                given["kernel"] = values[0] if len(values) == 1 else values
        if self.channels:
            taken, made = (evaluate(text, numbers) for text in self.channels)
            if taken != shape[0]:
                raise SpecError(f"{quote(self.text)} takes {taken} channels, got {shape[0]}")
            given[next(name for name in ("channels", "features") if name in kind.arguments)] = made
        for name, text in self.arguments.items():
            if name != "repeat":
                words = kind.arguments[name].words if name in kind.arguments else ()
                given[name] = text if text in words else evaluate(text, numbers)
        return {**kind.inline_defaults(given, len(shape) - 1), **given}


def is_inline_spec(text: str) -> bool:
    """True if a text is an inline spec, and not the name of a network."""
    return "->" in text or "→" in text


def split_at_commas(text: str) -> list[str]:
    """Split a text at its commas outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


SHORT = {"s": "stride", "p": "padding", "d": "dilation", "g": "groups"}
"""Letters before a number, short for the name of an argument: `conv 3x3 s2 p1`."""
_SHORT = re.compile(rf"([{''.join(SHORT)}])(\d+)")
_STEP = re.compile(r"(\w+)\s*(?:\((.*)\)|(.*))$", re.DOTALL)


def _read(text: str) -> InlineStep:
    match = _STEP.match(text)
    kind = match.group(1) if match else ""
    if match is None or kind not in registry():
        raise SpecError(f"unknown operator {quote(kind or text)}{did_you_mean(kind, registry())}")
    arguments = registry()[kind].arguments
    words = [word.strip() for word in match.group(2).split(",")] if match.group(2) is not None else []
    words = words or re.sub(r" ?(->|→|=) ?", r"\1", " ".join((match.group(3) or "").split())).split()
    step = InlineStep(text, kind, [], None, {})
    for word in words:
        word = word.replace("→", "->").strip()
        if "->" in word:
            before, _, after = word.partition("->")
            if not {"channels", "features"} & set(arguments):
                raise SpecError(f"{kind} does not change the channels: {quote(word)}")
            if not before or not after:
                raise SpecError(f"{quote(text)} needs the channels on both sides of ->, as in C->2*C")
            step.channels = (before, after)
        elif "=" in word:
            name, _, value = word.partition("=")
            if name.strip() not in (*arguments, "repeat"):
                raise SpecError(f"{kind} has no argument {quote(name)}{did_you_mean(name, arguments)}")
            step.arguments[name.strip()] = value.strip()
        elif (short := _SHORT.fullmatch(word)) and SHORT[short.group(1)] in arguments:
            step.arguments[SHORT[short.group(1)]] = short.group(2)
        elif word and step.kernel:
            raise SpecError(f"{quote(text)} has two kernels: {quote('x'.join(step.kernel))} and {quote(word)}")
        elif word:
            sides = re.split(r"(?<=\w)x(?=\w)", word)
            step.kernel = sides if re.fullmatch(r"\w+", word) else [word]
    if len(set(step.kernel)) == 1:
        step.kernel = step.kernel[:1]
    return step
