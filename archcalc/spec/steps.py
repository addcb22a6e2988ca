"""The form of a step: what a YAML node says, before any number is known.

Every node is read once, however often its block or loop is expanded, so mistakes of form are found also where nothing
is expanded.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence as Series
from dataclasses import dataclass, field, replace
from typing import Any

from archcalc.ops import registry
from archcalc.ops.operator import Operator
from archcalc.spec.errors import SpecError, did_you_mean, quote
from archcalc.spec.expression import Expression, Variables, parse_expression
from archcalc.spec.source import AnyNode, Mapping, Scalar, Sequence, is_empty
from archcalc.spec.values import ExpressionError

MODIFIERS = ("name", "from", "when", "repeat", "for", "train")
DOTTED = "a name has no dot: dots join the names of groups and steps"
SPECIAL_HEADS = ("layers", "side", "share", "use")


class Value:
    """A value in a spec: an expression, or a list of values."""

    __slots__ = ("constant", "expression", "items", "node", "weight")

    def __init__(self, node: AnyNode) -> None:
        self.node = node
        self.expression: Expression | None = None
        self.weight = 1
        """A bound of the cost of evaluating it, once it is parsed."""
        self.constant: Any = None
        """Its value where that is always the same, once it is parsed; None where it is not."""
        self.items: list[Value] = []
        if isinstance(node, Sequence):
            self.items = [Value(item) for item in node.items]
            self.weight += len(self.items)
        elif isinstance(node, Mapping):
            raise node.error("a number, an expression or a list is expected here, and this is a mapping")

    @property
    def text(self) -> str:
        return self.node.text if isinstance(self.node, Scalar) else ""

    def check(self) -> None:
        """Parse it now, so that its mistakes of form are found although it is never evaluated."""
        for item in self.items:
            item.check()
            self.weight += item.weight
        if isinstance(self.node, Scalar):
            self._parse(self.node)

    def _parse(self, node: Scalar) -> Expression:
        if self.expression is None:
            try:
                self.expression = parse_expression(node.text)
                self.weight = self.expression.weight
                self.constant = self.expression.constant
            except ExpressionError as error:
                raise located(node, error) from None
        return self.expression

    def evaluate(self, variables: Variables, words: Series[str] = ()) -> Any:
        """The value; a text that is one of ``words`` stands for itself."""
        node = self.node
        if not isinstance(node, Scalar):
            return [item.evaluate(variables, words) for item in self.items]
        if words and node.text in words:
            return node.text
        try:
            return (self.expression or self._parse(node)).evaluate(variables)
        except ExpressionError as error:
            raise located(node, error) from None


def located(node: Scalar, error: ExpressionError) -> SpecError:
    """An expression's error, at its place in the document."""
    if "\n" in node.text or node.end < 0:
        return node.error(str(error))
    return SpecError(str(error), node.place.shifted(error.offset + int(node.quoted), error.length))


class Template:
    """A name that may hold expressions in braces: `layer{stage}`."""

    __slots__ = ("_name", "node", "parts")

    def __init__(self, node: AnyNode) -> None:
        if not isinstance(node, Scalar) or (is_empty(node) and not node.quoted):
            raise node.error("a name is expected here")
        self.node = node
        self.parts: list[str | Expression] = []
        rest = node.text
        while "{" in rest:
            before, _, rest = rest.partition("{")
            inside, closed, rest = rest.partition("}")
            if not closed:
                raise node.error(f"the brace in the name {quote(node.text)} is never closed")
            try:
                self.parts += [before, parse_expression(inside)]
            except ExpressionError as error:
                raise node.error(str(error)) from None
        self.parts.append(rest)
        self._name: str | None = None
        """The name, once it is known to be good and always the same."""

    @property
    def fixed(self) -> bool:
        """Whether it is the same in every turn of a loop."""
        return len(self.parts) == 1

    def fill(self, variables: Variables) -> str:
        """The name. Control characters and overlong names are refused."""
        if self._name is not None:
            return self._name
        try:
            text = "".join(part if isinstance(part, str) else str(part.evaluate(variables)) for part in self.parts)
        except ExpressionError as error:
            raise self.node.error(str(error)) from None
        if len(text) > 200:
            raise self.node.error(f"a name has at most 200 characters, and this has {len(text):,}")
        if not text.isprintable():
            raise self.node.error(f"the name {quote(text)} has characters that do not print")
        if not text.strip():
            raise self.node.error("a name is empty")
        if self.fixed:
            self._name = text
        return text


@dataclass
class Step:
    """A step and what every step may have beside its head."""

    node: AnyNode
    name: Template | None = None
    sources: list[Template] | None = None
    when: Value | None = None
    repeat: Value | None = None
    loop: dict[str, Value] | None = None
    train: bool = False
    broken: bool = False
    """Whether its form has a mistake, which is noted already: it is not expanded."""


@dataclass
class Apply(Step):
    """An operator or a block, by name or by the value of an expression (`use`)."""

    head: str = ""
    use: Value | None = None
    principal: Value | None = None
    arguments: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)
    branches: list[Step] | None = None
    picked: dict[str, Apply] = field(default_factory=dict)
    """This step with the heads that `use` has picked."""
    _given: tuple[tuple[str, ...], list[Value]] | None = field(default=None, init=False)

    def picking(self, head: str) -> Apply:
        """This step with a head in place of `use`."""
        if head not in self.picked:
            self.picked[head] = replace(self, head=head, use=None, picked={})
        return self.picked[head]

    def given(self, operator: type[Operator]) -> tuple[tuple[str, ...], list[Value]]:
        """Names and values of the arguments of the operator that is its head, its own value first."""
        if self._given is None:
            given: dict[str, Value] = {}
            if self.principal is not None:
                if not operator.arguments:
                    raise self.keys[""].error(f"{self.head} takes no value: write it as a word of its own")
                given[next(iter(operator.arguments))] = self.principal
            for argument, value in self.arguments.items():
                if argument not in operator.arguments:
                    hint = did_you_mean(argument, operator.arguments)
                    raise self.keys[argument].error(f"{self.head} has no argument {quote(argument)}{hint}")
                if argument in given:
                    raise self.keys[argument].error(
                        f"{argument} is given twice: as {self.head}'s own value and by name"
                    )
                given[argument] = value
            self._given = tuple(given), list(given.values())
        return self._given


@dataclass
class Group(Step):
    """Steps of their own scope if the group has a name; without one, they belong to the scope around it."""

    steps: list[Step] = field(default_factory=list)
    numbered: bool = False


@dataclass
class Side(Step):
    """Steps whose result the main path does not take."""

    steps: list[Step] = field(default_factory=list)
    numbered: bool = False


@dataclass
class Share(Step):
    """An earlier step once more, with the same weights."""

    target: Template | None = None


@dataclass
class Block:
    """A named piece with parameters."""

    name: str
    node: AnyNode
    params: dict[str, Value | None]
    """Parameter to its default; None where it must be given."""
    inputs: list[str]
    steps: list[Step]
    numbered: bool


class Reader:
    """Reads steps, and collects the mistakes of their form."""

    def __init__(self, block_names: Dictionary[str, Any]) -> None:
        self.operators = registry()
        self.blocks: dict[str, list[str]] = {}
        self.block_names = block_names
        self.mistakes: list[SpecError] = []
        self.names: set[str] = set()
        self._read: dict[int, list[Step]] = {}

    def steps(self, node: AnyNode | None, where: AnyNode) -> list[Step]:
        """The steps of a list. A list that an alias repeats is read once."""
        if node is None or is_empty(node):
            raise where.error("a list of steps is expected here")
        if not isinstance(node, Sequence):
            raise node.error("a list of steps is expected here: each on a line of its own, after `- `")
        if id(node) not in self._read:
            self._read[id(node)] = result = []
            for item in node.items:
                try:
                    result.append(self.step(item))
                except SpecError as error:
                    self.mistakes.append(error)
        return self._read[id(node)]

    def step(self, node: AnyNode) -> Step:
        """One step."""
        if isinstance(node, Sequence):
            raise node.error("a step is an operator, a block or a group, and this is a list")
        if isinstance(node, Scalar):
            self._known_head(node)
            return Apply(node, head=node.text)
        heads = self._heads(node)
        if len(heads) != 1:
            raise self._wrong_heads(node, heads)
        key, value = node.pairs[heads[0]]
        head = key.text
        if head == "layers":
            step: Step = Group(node, steps=self.steps(value, key), numbered=self._flag(node, "numbered"))
            extra = {"numbered"}
        elif head == "side":
            step = Side(node, steps=self.steps(value, key), numbered=self._flag(node, "numbered"))
            extra = {"numbered"}
        elif head == "share":
            step = Share(node, target=Template(value))
            extra = set()
        elif head == "use" or head in self.operators or head in self.block_names:
            step = self._apply(node, key, value)
            extra = set(step.arguments)
        else:
            step = Group(node, steps=self.steps(value, key), numbered=self._flag(node, "numbered"))
            step.name = Template(key)
            self.names.add(head)
            extra = {"numbered"}
        self._modifiers(node, step, extra | {head}, head)
        return step

    # -- heads

    def _heads(self, node: Mapping) -> list[str]:
        """The keys that could be the step's head. An argument may be called like an operator (`dropout: 0.1`)."""
        keys = [key for key in node.pairs if key not in MODIFIERS]
        heads = [key for key in keys if key in SPECIAL_HEADS or key in self.operators or key in self.block_names]
        if len(heads) > 1:
            fitting = [head for head in heads if set(keys) - {head} <= set(self._argument_names(head))]
            heads = fitting if len(fitting) == 1 else heads
        if not heads:
            heads = [key for key in keys if isinstance(node.get(key), Sequence)]
        return heads

    def _argument_names(self, head: str) -> list[str]:
        if head in self.operators:
            return list(self.operators[head].arguments)
        return list(self.blocks.get(head, ()))

    def _possible_heads(self) -> list[str]:
        return [*self.operators, *self.block_names, *SPECIAL_HEADS]

    def _wrong_heads(self, node: Mapping, heads: list[str]) -> SpecError:
        if len(heads) > 1:
            key = node.pairs[heads[1]][0]
            words = " and ".join(quote(head) for head in heads)
            return key.error(f"a step has one operator, block or group, and this has {words}")
        keys = [key for key, _ in node if key.text not in MODIFIERS]
        if not keys:
            return node.error("a step needs an operator, a block or a group beside its name")
        return self._unknown_head(keys[0])

    def _unknown_head(self, key: Scalar) -> SpecError:
        hint = did_you_mean(key.text, self._possible_heads())
        if key.text in MODIFIERS:
            return key.error(f"a step needs an operator, a block or a group beside {key.text}")
        return key.error(f"there is no operator or block {quote(key.text)}{hint}")

    def _known_head(self, node: Scalar) -> None:
        if node.text not in self.operators and node.text not in self.block_names:
            raise self._unknown_head(node)

    # -- parts

    def _apply(self, node: Mapping, key: Scalar, value: AnyNode) -> Apply:
        step = Apply(node, head=key.text)
        operator = self.operators.get(key.text)
        if key.text == "use":
            step.use, step.head = Value(value), ""
            step.use.check()
        elif operator is not None and operator.joins:
            if not is_empty(value):
                step.branches = self._branches(value)
        elif not is_empty(value):
            step.principal = Value(value)
            step.keys[""] = key
        self._arguments(node, step, operator)
        if step.principal is not None:
            self._check_value(step.principal, self._words(operator, None))
        return step

    def _arguments(self, node: Mapping, step: Apply, operator: type[Operator] | None) -> None:
        possible = self._argument_names(step.head)
        for key, value in node:
            if key.text in MODIFIERS or key.text == (step.head or "use"):
                continue
            if step.use is None and key.text not in possible:
                hint = did_you_mean(key.text, [*possible, *MODIFIERS])
                self.mistakes.append(key.error(f"{step.head} has no argument {quote(key.text)}{hint}"))
                step.broken = True
                continue
            step.keys[key.text] = key
            step.arguments[key.text] = Value(value)
            self._check_value(step.arguments[key.text], self._words(operator, key.text))

    def _words(self, operator: type[Operator] | None, argument: str | None) -> tuple[str, ...]:
        if operator is None or not operator.arguments:
            return ()
        name = argument or next(iter(operator.arguments))
        return operator.arguments[name].words if name in operator.arguments else ()

    def _check_value(self, value: Value, words: tuple[str, ...]) -> None:
        try:
            if value.text not in words:
                value.check()
        except SpecError as error:
            self.mistakes.append(error)

    def _branches(self, node: AnyNode) -> list[Step]:
        if not isinstance(node, Sequence):
            raise node.error(
                "branches are a list: each a list of steps, a named group or a step; [] is the input itself"
            )
        branches: list[Step] = []
        for item in node.items:
            try:
                if isinstance(item, Sequence):
                    branches.append(Group(item, steps=self.steps(item, item)))
                else:
                    branches.append(self.step(item))
            except SpecError as error:
                self.mistakes.append(error)
        return branches

    def _flag(self, node: Mapping, key: str) -> bool:
        value = node.get(key)
        if value is None:
            return False
        if isinstance(value, Scalar) and value.text in ("true", "false"):
            return value.text == "true"
        raise value.error(f"{key} is true or false")

    def _modifiers(self, node: Mapping, step: Step, others: set[str], head: str) -> None:
        for key, value in node:
            if key.text in others:
                continue
            if key.text == "name":
                step.name = self._name(step, value)
            elif key.text == "from":
                items = value.items if isinstance(value, Sequence) else [value]
                step.sources = [Template(item) for item in items]
            elif key.text in ("when", "repeat"):
                setattr(step, key.text, Value(value))
                self._check_value(Value(value), ())
            elif key.text == "for":
                step.loop = self._loop(value)
            elif key.text == "train":
                step.train = self._flag(node, "train")
            elif not isinstance(step, Apply):
                hint = did_you_mean(key.text, [*MODIFIERS, "numbered"])
                self.mistakes.append(key.error(f"beside {quote(head)} there is no place for {quote(key.text)}{hint}"))

    def _name(self, step: Step, value: AnyNode) -> Template:
        if step.name is not None:
            raise value.error(f"this group is named twice: {quote(step.name.node.text)} and {quote(Value(value).text)}")
        template = Template(value)
        if template.fixed:
            if "." in template.node.text:
                raise value.error(DOTTED)
            self.names.add(template.node.text)
        return template

    def _loop(self, node: AnyNode) -> dict[str, Value]:
        if not isinstance(node, Mapping) or not node.pairs:
            raise node.error("for takes names and lists, such as {width: [64, 128], depth: depths}")
        loop = {}
        for key, value in node:
            if not key.text.isidentifier():
                raise key.error(f"{quote(key.text)} cannot be used in an expression: a name has letters, digits and _")
            loop[key.text] = Value(value)
            self._check_value(loop[key.text], ())
        return loop
