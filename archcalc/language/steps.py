"""Steps as they are written: values, names and arguments, before any number is known."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as Series
from copy import copy
from typing import Any

from archcalc.errors import SpecError
from archcalc.language.expression import Expression, Variables, parse_expression
from archcalc.language.source import AnyNode, Mapping, Scalar, Sequence, is_empty
from archcalc.language.synonyms import argument_hint
from archcalc.language.values import ExpressionError, checked
from archcalc.ops.operator import Operator
from archcalc.structs import Struct
from archcalc.words import help_line, quote

MODIFIERS = ("name", "from", "when", "repeat", "for", "train", "trainable", "dtype")
DOTTED = "a name cannot have a dot: dots join the names of groups and steps"
NO_IDENTIFIER = "{} cannot be used in an expression: a name has letters, digits and _"
SPECIAL_HEADS = ("layers", "side", "share", "use")


class Value:
    """A value in a spec: an expression, or a list of values."""

    __slots__ = ("asks_input", "asks_steps", "constant", "expression", "items", "may_be_text", "node", "weight")

    def __init__(self, node: AnyNode, in_list: bool = False) -> None:
        self.node = node
        self.may_be_text = in_list and isinstance(node, Scalar) and node.quoted
        """True if it is quoted in a list: it is a string unless it is an expression over known names."""
        self.expression: Expression | None = None
        self.weight = 1
        """A bound of the cost of evaluating it; known after parsing."""
        self.asks_input = True
        """True if it uses `input`, the shape of the step's input; known after parsing."""
        self.asks_steps = True
        """True if it may use the shape of an earlier step; known after parsing."""
        self.constant: Any = None
        """Its value if that is always the same; None if it is not, or before parsing."""
        self.items: list[Value] = []
        if not isinstance(node, Scalar):
            self.items = self._items_of(node)

    def _items_of(self, node: Sequence | Mapping) -> list[Value]:
        if isinstance(node, Mapping):
            raise node.error(
                "expected a number, an expression or a list, got a mapping"
                + help_line("write arguments beside the operator: {conv: 64, kernel: 3}")
            )
        return [Value(item, in_list=True) for item in node.items]

    @property
    def text(self) -> str:
        """The text as written; empty for a list."""
        return self.node.text if isinstance(self.node, Scalar) else ""

    def check(self) -> None:
        """Parse it now, to find its errors even if it is never evaluated."""
        for item in self.items:
            item.check()
        if isinstance(self.node, Scalar):
            if not self._is_text():
                self._parse(self.node)
        else:
            self.weight = 1 + len(self.items) + sum(item.weight for item in self.items)
            self.asks_input = any(item.asks_input for item in self.items)
            self.asks_steps = any(item.asks_steps for item in self.items)

    def _parse(self, node: Scalar) -> Expression:
        if self.expression is None:
            try:
                self.expression = parse_expression(node.text)
            except ExpressionError as error:
                raise located(node, error) from None
            self.weight = self.expression.weight
            self.asks_input = "input" in self.expression.names
            self.asks_steps = bool(self.expression.steps)
            self.constant = self.expression.constant
        return self.expression

    def _is_text(self) -> bool:
        """True if it is not an expression and may be a string; then the string is its value."""
        if self.may_be_text and self.expression is None:
            try:
                parse_expression(self.text)
            except ExpressionError:
                self.constant = self.text
                return True
        return False

    def with_words(self, words: Series[str]) -> Value:
        """Return this value, in which each of ``words`` is a string."""
        if not words or (self.text not in words and not self.items):
            return self
        value = Value(self.node)
        value.weight, value.asks_input, value.asks_steps = self.weight, self.asks_input, self.asks_steps
        value.items = [item.with_words(words) for item in self.items]
        value.constant = self.text or None
        return value

    def evaluate(self, variables: Variables) -> Any:
        """Return the value; raise `SpecError` at its place, or `Unknown` if it needs an unknown shape."""
        if self.constant is not None:
            return self.constant
        node = self.node
        if not isinstance(node, Scalar):
            return self._list(node, variables)
        if self._is_text():
            return node.text
        expression = self.expression or self._parse(node)
        unknown = [name for name in expression.names if name not in variables] if self.may_be_text else ()
        if any(name not in expression.steps for name in unknown):
            return node.text
        try:
            return expression.evaluate(variables)
        except ExpressionError as error:
            if unknown:
                return node.text
            raise located(node, error) from None

    def _list(self, node: AnyNode, variables: Variables) -> Any:
        values = [item.evaluate(variables) for item in self.items]
        try:
            return checked(values)
        except ExpressionError as error:
            raise node.error(str(error)) from None


class Literal(Value):
    """A text that stands for itself."""

    __slots__ = ()

    def evaluate(self, variables: Variables) -> Any:
        return self.text

    def check(self) -> None:
        """There is nothing in it that could be wrong."""


class NamedValues(Value):
    """A mapping of names to values, for an argument that takes one: `{heads: 8, tokens: -1}`."""

    __slots__ = ("names",)

    def _items_of(self, node: Sequence | Mapping) -> list[Value]:
        assert isinstance(node, Mapping)
        self.names = [key.text for key, _ in node]
        return [Value(value) for _, value in node]

    def with_words(self, words: Series[str]) -> Value:
        """Return this value: a size is never a word."""
        return self

    def _list(self, node: AnyNode, variables: Variables) -> Any:
        return dict(zip(self.names, super()._list(node, variables), strict=True))


def located(node: Scalar, error: ExpressionError) -> SpecError:
    """Return the error of an expression at its place in the document."""
    if "\n" in node.text or node.end < 0:
        return node.error(str(error))
    return SpecError(str(error), node.place.shifted(error.offset + int(node.quoted), error.length))


class Template:
    """A name that may contain expressions: `layer{stage}`; in `from`, `scale{range(4)}` is several.

    Grammar::

        template = { character | "{" expression "}" }
    """

    __slots__ = ("_name", "node", "parts", "weight")

    def __init__(self, node: AnyNode) -> None:
        if not isinstance(node, Scalar) or (is_empty(node) and not node.quoted):
            raise node.error("expected a name")
        self.node: Scalar = node
        self.parts: list[str | Expression] = []
        self.weight = 0
        """A bound of the cost of filling it."""
        rest = node.text
        while "{" in rest:
            before, _, rest = rest.partition("{")
            inside, closed, rest = rest.partition("}")
            if not closed:
                raise node.error(f"the brace in the name {quote(node.text)} is never closed")
            try:
                expression = parse_expression(inside)
            except ExpressionError as error:
                raise node.error(str(error)) from None
            self.parts += [before, expression]
            self.weight += expression.weight
        self.parts.append(rest)
        self._name: str | None = None
        """The name, if it is valid and always the same."""

    @classmethod
    def fixed_as(cls, name: str, node: AnyNode) -> Template:
        """Return the template of a name that is known."""
        template = cls.__new__(cls)
        template.node, template.parts, template.weight, template._name = node, [name], 0, name  # type: ignore[assignment]
        return template

    @property
    def fixed(self) -> bool:
        """True if it is the same in every turn of a loop."""
        return len(self.parts) == 1

    def fill(self, variables: Variables) -> str:
        """Return the name; raise `SpecError` for a name that is empty, too long or has control characters."""
        if self._name is not None:
            return self._name
        return self._checked("".join(map(str, self._values(variables))))

    def fill_each(self, variables: Variables) -> list[str]:
        """Return the name, or one for each value of the lists in it, side by side; raise `SpecError` as `fill`."""
        if self._name is not None:
            return [self._name]
        values = self._values(variables)
        lengths = {len(value) for value in values if isinstance(value, list)}
        if len(lengths) > 1:
            raise self.node.error(f"the lists in {quote(self.node.text)} must have the same length")
        turns = range(lengths.pop() if lengths else 1)
        return [
            self._checked("".join(str(value[turn] if isinstance(value, list) else value) for value in values))
            for turn in turns
        ]

    def _values(self, variables: Variables) -> list[Any]:
        try:
            return [part if isinstance(part, str) else part.evaluate(variables) for part in self.parts]
        except ExpressionError as error:
            raise self.node.error(str(error)) from None

    def _checked(self, text: str) -> str:
        """Return the text if it can be a name, and keep it if it is always the same."""
        if len(text) > 200:
            raise self.node.error(f"a name has at most 200 characters, got {len(text):,}")
        if not text.isprintable():
            raise self.node.error(f"the name {quote(text)} has characters that cannot be printed")
        if not text.strip():
            raise self.node.error("expected a name, got an empty one")
        if self.fixed:
            self._name = text
        return text


class Step:
    """A step, with what every step may have beside its head."""

    name: Template | None = None
    sources: list[Template] | None = None
    when: Value | None = None
    repeat: Value | None = None
    loop: dict[str, Value] | None = None
    train: bool = False
    trainable: Value | None = None
    """Whether its weights are trained; None if the steps around it decide."""
    dtype: str = ""
    """The type of its weights and outputs; empty if the steps around it decide."""
    broken: bool = False
    """True if it has an error of form, which is noted already: it is not expanded."""

    def __init__(self, node: AnyNode) -> None:
        self.node = node

    @property
    def loops(self) -> bool:
        """True if it has a `for` or a `repeat`."""
        return self.loop is not None or self.repeat is not None


class Apply(Step):
    """An operator or a block, by name or by the value of an expression (`use`)."""

    use: Value | None = None
    principal: Value | None = None
    branches: list[Step] | None = None
    _of_block: dict[str, Value] | None = None
    _of_operator: tuple[tuple[str, ...], list[Value]] | None = None

    def __init__(self, node: AnyNode, head: str) -> None:
        super().__init__(node)
        self.head = head
        self.arguments: dict[str, Value] = {}
        self.keys: dict[str, Scalar] = {}
        self.ties: dict[str, Template] = {}
        """Its weights that are those of earlier steps: the tensor's name to the step."""
        self.picked: dict[str, Apply] = {}
        """This step with each head that `use` has picked."""

    def picking(self, head: str) -> Apply:
        """Return this step with a head in place of `use`."""
        if head not in self.picked:
            picked = self.picked[head] = copy(self)
            picked.head, picked.use = head, None
        return self.picked[head]

    def given_to_operator(self, operator: type[Operator]) -> tuple[tuple[str, ...], list[Value]]:
        """Return names and values of the arguments of its operator, the principal one first."""
        if self._of_operator is None:
            given = self._given(self.head, operator.arguments, operator.principal())
            values = [value.with_words(operator.arguments[name].words) for name, value in given.items()]
            self._of_operator = tuple(given), values
        return self._of_operator

    def given_to_block(self, block: Block) -> dict[str, Value]:
        """Return the parameters that it sets of its block."""
        if self._of_block is None:
            self._of_block = self._given(f"the block {block.name}", block.params, next(iter(block.params), None))
        return self._of_block

    def _given(self, head: str, possible: Collection[str], principal: str | None) -> dict[str, Value]:
        given: dict[str, Value] = {}
        if self.principal is not None:
            if principal is None:
                raise self.keys[""].error(f"{head} takes no value" + help_line(f"write {self.head}"))
            given[principal] = self.principal
        for argument, value in self.arguments.items():
            if argument not in possible:
                hint = argument_hint(argument, possible)
                raise self.keys[argument].error(f"{head} has no argument {quote(argument)}{hint}")
            if argument in given:
                raise self.keys[argument].error(f"{argument} is set twice: as the value of {self.head} and by name")
            given[argument] = value
        return given


class _Steps(Step):
    def __init__(self, node: AnyNode, steps: list[Step], numbered: bool = False) -> None:
        super().__init__(node)
        self.steps, self.numbered = steps, numbered


class Group(_Steps):
    """A list of steps. With a name it is a scope of its own; without one, its names belong to the scope around it."""


class SideOutput(_Steps):
    """Steps off the main path, such as an auxiliary classifier."""


class SharedStep(Step):
    """An earlier step used again with the same weights."""

    def __init__(self, node: AnyNode, target: Template) -> None:
        super().__init__(node)
        self.target = target


def replacing(steps: list[Step], replaced: Step, name: str) -> Step:
    """Return one step that replaces another: with its name and, unless they have a `from`, with its inputs.

    One step stays as it is. Several steps, and one with another name, become a group.
    """
    step = steps[0] if len(steps) == 1 and not isinstance(steps[0], SideOutput) else None
    if step is None or (step.name is not None and step.name.node.text != name):
        step = Group(replaced.node, steps)
    step = copy(step)
    step.name, step.sources = Template.fixed_as(name, step.node), step.sources or replaced.sources
    if isinstance(step, Apply):
        step.picked = {}
    return step


class Block(Struct):
    """A named, parameterized list of steps."""

    name: str
    node: AnyNode
    params: dict[str, Value | None]
    """Parameter to its default; None if it is required."""
    inputs: list[str]
    outputs: list[Template]
    """Its steps whose outputs are those of the block, the first being what the next step takes; none for the last."""
    steps: list[Step]
    numbered: bool
