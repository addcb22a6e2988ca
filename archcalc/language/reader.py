"""The parser of steps: YAML nodes to `Step` objects, and errors of form.

Every node is read once, however often its block or loop is expanded. So errors of form are found even in steps that are
never expanded.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence as Series
from typing import Any

from archcalc.dtypes import BITS, dtype_hint
from archcalc.errors import SpecError
from archcalc.language.source import AnyNode, Mapping, Scalar, Sequence, is_empty, items_of
from archcalc.language.steps import (
    DOTTED,
    MODIFIERS,
    NO_IDENTIFIER,
    SPECIAL_HEADS,
    Apply,
    Group,
    Literal,
    NamedValues,
    SharedStep,
    SideOutput,
    Step,
    Template,
    Value,
)
from archcalc.language.synonyms import argument_hint, key_hint, operator_hint
from archcalc.language.ties import tensor_names
from archcalc.ops import registry
from archcalc.ops.operator import Operator
from archcalc.words import help_line, quote, suggested


class StepParser:
    """Reads steps, and collects their errors of form in ``errors``.

    Grammar, over YAML nodes; ``…`` is a list, ``{}`` a mapping::

        steps    = [step, …]
        step     = operator | block | {head, argument: value, …, modifier, …}
        head     = operator: value | block: value | use: expression
                 | layers: steps | side: steps | share: name | join: [branch, …] | group: steps
        branch   = steps | step
        modifier = name: template | from: name or [name, …] | when: expression | repeat: expression
                 | for: {variable: list, …} | train: true | trainable: expression | dtype: type | numbered: true
        value    = expression | [value, …]

    An argument may also be a weight of an operator, whose value is then the name of a step: `weight: embedding`.
    A ``join`` is an operator of several inputs, such as `add`. A ``group`` is any other word. A mapping has exactly one
    head. Only `layers`, `side` and groups may be `numbered`.
    """

    def __init__(self, block_names: Dictionary[str, Any]) -> None:
        self.operators = registry()
        self.blocks: dict[str, list[str]] = {}
        self.block_names = block_names
        self.errors: list[SpecError] = []
        self.names: set[str] = set()
        self._read: dict[int, list[Step]] = {}

    def steps(self, node: AnyNode | None, where: AnyNode) -> list[Step]:
        """Read a list of steps. A list that an alias repeats is read once."""
        if node is None or is_empty(node):
            raise where.error("expected a list of steps, got nothing")
        if not isinstance(node, Sequence):
            raise node.error("expected a list of steps" + help_line("write each step on its own line, after `- `"))
        if id(node) not in self._read:
            self._read[id(node)] = self._each(node, self.step)
        return self._read[id(node)]

    def _each(self, node: Sequence, read: Callable[[AnyNode], Step]) -> list[Step]:
        """Read each item; keep the errors and leave out their items."""
        found = []
        for item in node.items:
            try:
                found.append(read(item))
            except SpecError as error:
                self.errors.append(error)
        return found

    def step(self, node: AnyNode) -> Step:
        """Read one step."""
        if isinstance(node, Sequence):
            raise node.error("expected an operator, a block or a group, got a list")
        if isinstance(node, Scalar):
            if node.text not in self.operators and node.text not in self.block_names:
                raise self._unknown_head(node)
            return Apply(node, node.text)
        heads = self._heads(node)
        if len(heads) != 1:
            raise self._wrong_heads(node, heads)
        key, value = node.pairs[heads[0]]
        head = key.text
        is_group = head in ("layers", "side")
        if head == "share":
            step: Step = SharedStep(node, Template(value))
            extra = set()
        elif not is_group and (head == "use" or head in self.operators or head in self.block_names):
            step = applied = self._apply(node, key, value)
            extra = {*applied.arguments, *applied.ties}
        else:
            group = SideOutput if head == "side" else Group
            step = group(node, self.steps(value, key), self.flag(node, "numbered"))
            extra = {"numbered"}
            if not is_group:
                step.name = Template(key)
                self.names.add(head)
        self._modifiers(node, step, extra | {head}, head)
        return step

    # -- heads

    def _heads(self, node: Mapping) -> list[str]:
        """Return the keys that can be the head. An argument may have the name of an operator (`dropout: 0.1`)."""
        keys = [key for key in node.pairs if key not in MODIFIERS]
        heads = [key for key in keys if key in SPECIAL_HEADS or key in self.operators or key in self.block_names]
        if len(keys) > 1 and isinstance(node.get("layers"), Scalar):  # an argument, such as `layers: 2`
            heads = [key for key in heads if key != "layers"]
        if "use" in heads:
            return ["use"]
        if len(heads) > 1:
            fitting = [
                head for head in heads if set(keys) - {head} <= {*self._argument_names(head), *self._tensor_names(head)}
            ]
            heads = fitting if len(fitting) == 1 else heads
        if not heads:
            heads = [key for key in keys if self._are_steps(node.get(key))]
        if heads and not self._may_stand_beside(keys[0], heads[0]):
            return []
        return heads

    def _are_steps(self, node: AnyNode | None) -> bool:
        """True if this can be the steps of a group: a list without numbers and lists."""
        return isinstance(node, Sequence) and not any(
            isinstance(item, Sequence) or (isinstance(item, Scalar) and not item.text.isidentifier())
            for item in node.items
        )

    def _may_stand_beside(self, first: str, head: str) -> bool:
        """True if the first key is the head or, even misspelled, an argument of it; else it is an unknown operator."""
        if head not in self.operators or first == head:
            return True
        return "did you mean" in argument_hint(first, [*self._argument_names(head), *MODIFIERS])

    def _argument_names(self, head: str) -> list[str]:
        if head in self.operators:
            return list(self.operators[head].arguments)
        return list(self.blocks.get(head, ()))

    def _tensor_names(self, head: str) -> Series[str]:
        """Return the weights that may be those of an earlier step."""
        return tensor_names(self.operators[head]) if head in self.operators else ()

    def _given_tensors(self, node: Mapping, operator: type[Operator] | None) -> list[str]:
        """Return the weights that the step itself names, for an operator that is told its weights."""
        given = node.get("tensors") if operator is not None and "tensors" in operator.arguments else None
        names = [key.text for key, _ in given] if isinstance(given, Mapping) else []
        return [name for name in names if operator is not None and name not in operator.arguments]

    def _wrong_heads(self, node: Mapping, heads: list[str]) -> SpecError:
        if len(heads) > 1:
            key = node.pairs[heads[1]][0]
            words = " and ".join(quote(head) for head in heads)
            return key.error(
                f"expected one operator, block or group in a step, got {words}{self._tie_hint(node, heads)}"
            )
        keys = [key for key, _ in node if key.text not in MODIFIERS]
        if not keys:
            return node.error("a step needs an operator, a block or a group beside its name")
        arguments = {name for operator in self.operators.values() for name in operator.arguments}
        return self._unknown_head(*node.pairs[next((key for key in keys if key.text not in arguments), keys[0]).text])

    def _tie_hint(self, node: Mapping, heads: list[str]) -> str:
        """Return how to take the weight of an earlier step, if an operator that has one is written beside `share`."""
        given = node.get("share")
        others = [head for head in heads if head != "share"]
        if not isinstance(given, Scalar) or len(others) != 1 or "weight" not in self._tensor_names(others[0]):
            return ""
        return help_line(f"to use only the weight of {given.text}, write weight: {given.text} in place of share")

    def _unknown_head(self, key: Scalar, value: AnyNode | None = None) -> SpecError:
        if key.text in MODIFIERS:
            return key.error(f"a step needs an operator, a block or a group beside {key.text}")
        hint = key_hint(key.text, value.text) if isinstance(value, Scalar) else ""
        hint = hint or operator_hint(key.text, [*self.operators, *self.block_names, *SPECIAL_HEADS])
        return key.error(f"unknown operator or block {quote(key.text)}{hint}")

    # -- parts

    def _apply(self, node: Mapping, key: Scalar, value: AnyNode) -> Apply:
        step = Apply(node, key.text)
        operator = self.operators.get(key.text)
        if operator is None or not operator.joins:
            self._check_no_group(key, value)
        if key.text == "use":
            step.use, step.head = Value(value), ""
            step.use.check()
        elif operator is not None and operator.joins:
            if not is_empty(value):
                step.branches = self._branches(step, key, value)
        elif not is_empty(value):
            if operator is not None and operator.principal() is None:
                raise key.error(_takes_no_value(operator))
            step.principal = self._value(value, operator, None)
            step.keys[""] = key
        self._arguments(node, step, operator)
        if step.principal is not None:
            self._check_value(step.principal, self._words(operator, None))
        return step

    def _check_no_group(self, key: Scalar, value: AnyNode) -> None:
        """Raise if this is a group with the name of an operator or a block."""
        what = "an operator" if key.text in self.operators else "a block"
        for item in value.items if isinstance(value, Sequence) else ():
            word = isinstance(item, Scalar) and what == "an operator" and item.text in self.operators
            if word or isinstance(item, Mapping):
                fix = f"write {{name: {key.text}, layers: [...]}} for a group of that name"
                raise key.error(f"{key.text} is {what}, not a group{help_line(fix)}")

    def _arguments(self, node: Mapping, step: Apply, operator: type[Operator] | None) -> None:
        possible = self._argument_names(step.head)
        tensors = [*self._tensor_names(step.head), *self._given_tensors(node, operator)]
        for key, value in node:
            if key.text in MODIFIERS or key.text == (step.head or "use"):
                continue
            if key.text in tensors:
                step.keys[key.text] = key
                step.ties[key.text] = Template(value)
                continue
            if step.use is None and key.text not in possible:
                message = f"{step.head} has no argument {quote(key.text)}"
                message += argument_hint(key.text, [*possible, *tensors, *MODIFIERS])
                _, meant = suggested(message) or ("", "")
                if meant in node.pairs or (step.principal is not None and meant == next(iter(possible), "")):
                    message += " it is set already"
                self.errors.append(key.error(message))
                step.broken = True
                continue
            step.keys[key.text] = key
            step.arguments[key.text] = self._value(value, operator, key.text)
            self._check_value(step.arguments[key.text], self._words(operator, key.text))

    def _value(self, value: AnyNode, operator: type[Operator] | None, argument: str | None) -> Value:
        known = None if operator is None else operator.arguments.get(argument or operator.principal() or "")
        named = known is not None and known.takes_names and isinstance(value, Mapping)
        if known is not None and known.is_text and isinstance(value, Scalar):
            return Literal(value)
        return NamedValues(value) if named else Value(value)

    def _words(self, operator: type[Operator] | None, argument: str | None) -> tuple[str, ...]:
        if operator is None:
            return ()
        name = argument or operator.principal()
        return operator.arguments[name].words if name in operator.arguments else ()

    def _check_value(self, value: Value, words: tuple[str, ...]) -> None:
        try:
            if value.text not in words:
                value.check()
        except SpecError as error:
            self.errors.append(error)

    def _branches(self, step: Apply, key: Scalar, node: AnyNode) -> list[Step]:
        if not isinstance(node, Sequence):
            raise node.error(
                "expected a list of branches" + help_line("write each as a list of steps, or as []: the input itself")
            )
        words = [item.text for item in node.items if isinstance(item, Scalar)]
        earlier = {"input", *self.names} - {*self.operators, *self.block_names}
        if words and len(words) == len(node.items) and earlier.issuperset(words):
            fix = f"write {{{key.text}, from: [{', '.join(words)}]}}"
            self.errors.append(key.error(f"{key.text} takes branches here, got names of steps{help_line(fix)}"))
            branches = []
        else:
            branches = self._each(node, self._branch)
        step.broken = len(branches) < len(node.items)
        return branches

    def _branch(self, node: AnyNode) -> Step:
        return Group(node, self.steps(node, node)) if isinstance(node, Sequence) else self.step(node)

    def flag(self, node: Mapping, key: str) -> bool:
        """True if the key is there and true."""
        value = node.get(key)
        if value is None:
            return False
        if isinstance(value, Scalar) and value.text in ("true", "false"):
            return value.text == "true"
        raise value.error(f"{key} must be true or false")

    def _modifiers(self, node: Mapping, step: Step, others: set[str], head: str) -> None:
        for key, value in node:
            if key.text in others:
                continue
            if key.text == "name":
                step.name = self._name(step, value)
            elif key.text == "from":
                step.sources = [Template(item) for item in items_of(value)]
            elif key.text in ("when", "repeat", "trainable"):
                modifier = Value(value)
                setattr(step, key.text, modifier)
                self._check_value(modifier, ())
            elif key.text == "dtype":
                if not isinstance(value, Scalar) or value.text not in BITS:
                    hint = dtype_hint(value.text if isinstance(value, Scalar) else "")
                    raise value.error(f"unknown dtype {quote(Value(value).text)}{hint}")
                step.dtype = value.text
            elif key.text == "for":
                step.loop = self._loop(value)
            elif key.text == "train":
                step.train = self.flag(node, "train")
                if not step.train:
                    raise value.error(
                        "train: false changes nothing: train: true marks a step that exists only in training"
                        + help_line("remove it, or write trainable: false for weights that are not trained")
                    )
            elif not isinstance(step, Apply):
                possible = [*MODIFIERS, *sorted(others - {head})]
                hint = argument_hint(key.text, possible) or help_line(f"its keys are {', '.join(possible)}")
                self.errors.append(key.error(f"{head} cannot have the key {quote(key.text)}{hint}"))

    def _name(self, step: Step, value: AnyNode) -> Template:
        if step.name is not None:
            raise value.error(f"this group has two names: {quote(step.name.node.text)} and {quote(Value(value).text)}")
        template = Template(value)
        if template.fixed:
            if "." in template.node.text:
                raise value.error(DOTTED)
            self.names.add(template.node.text)
        return template

    def _loop(self, node: AnyNode) -> dict[str, Value]:
        if not isinstance(node, Mapping) or not node.pairs:
            raise node.error("expected names and lists after for, such as {width: [64, 128], depth: depths}")
        loop = {}
        for key, value in node:
            if not key.text.isidentifier():
                raise key.error(NO_IDENTIFIER.format(quote(key.text)))
            loop[key.text] = Value(value)
            self._check_value(loop[key.text], ())
        return loop


def _takes_no_value(operator: type[Operator]) -> str:
    """Return the message for an operator that got a value but has no principal argument."""
    if not operator.arguments:
        return f"{operator.kind} takes no arguments{help_line(f'write - {operator.kind}')}"
    named = f"{{{operator.kind}, {next(iter(operator.arguments))}: …}}"
    fix = help_line(f"write {operator.kind}, or {named}")
    return f"{operator.kind} takes no value: its sizes are those of its input{fix}"
