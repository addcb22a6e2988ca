"""Values of a step's expressions during expansion, and the turns of its loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archcalc.arithmetic import as_index
from archcalc.language.draft import Flow, GraphBuilder
from archcalc.language.expression import STEPS
from archcalc.language.limits import exceeded, limit
from archcalc.language.names import Names, SeenSteps
from archcalc.language.scope import Scope
from archcalc.language.steps import Step, Value
from archcalc.language.values import ShapeValue, leaves
from archcalc.words import help_line

StepVariables = dict[str, Any]


class Evaluation:
    """Evaluates expressions, and adds their weight to the work of a draft."""

    def __init__(self, draft: GraphBuilder, names: Names) -> None:
        self.draft = draft
        self.names = names

    def value(self, value: Value, flow: Flow, scope: Scope, variables: StepVariables) -> Any:
        """Return the value of an expression in which `input` is the shape of ``flow``, and names are of the scope."""
        if value.constant is not None:
            return value.constant
        if value.asks_input:
            variables["input"] = ShapeValue(flow.shape)
        if value.asks_steps:
            variables[STEPS] = SeenSteps(self.names, scope)
        self.draft.work += value.weight
        return value.evaluate(variables)

    def argument(self, value: Value, flow: Flow, scope: Scope, variables: StepVariables) -> Any:
        """Return the value of an operator's argument: a number, a word, or a list of these; raise for a shape."""
        result = self.value(value, flow, scope, variables)
        if result.__class__ is int:  # most are
            return result
        if any(isinstance(leaf, ShapeValue) for leaf in leaves(result)):
            raise value.node.error("expected a number, got a shape" + help_line("name a part, such as input.channels"))
        return result

    def condition(self, value: Value, flow: Flow, scope: Scope, variables: StepVariables, key: str = "when") -> bool:
        """True if the condition after ``key`` holds."""
        condition = self.value(value, flow, scope, variables)
        if condition is not True and condition is not False:
            raise value.node.error(f"{key} must be true or false, got {condition}")
        return condition

    def walked(self, step: Step, flow: Flow, scope: Scope, variables: StepVariables) -> Iterator[StepVariables]:
        """Yield the variables of each turn of a step's `for`; without one, the variables around it."""
        if step.loop is None:
            yield variables
            return
        lists = {name: self.value(value, flow, scope, variables) for name, value in step.loop.items()}
        for name, values in lists.items():
            if not isinstance(values, (list, tuple)):
                raise step.loop[name].node.error(f"expected a list for {name} in for")
        if len({len(values) for values in lists.values()}) > 1:
            lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
            raise step.node.error(f"the lists of a for must have the same length: {lengths}")
        for index, values in enumerate(zip(*lists.values(), strict=True)):
            yield self.more(variables, {"i": index} | dict(zip(lists, values, strict=True)))

    def repeated(self, step: Step, flow: Flow, scope: Scope, variables: StepVariables) -> Iterator[StepVariables]:
        """Yield the variables of each turn of a step's `repeat`; without one, the variables around it."""
        if step.repeat is None:
            yield variables
            return
        given = self.value(step.repeat, flow, scope, variables)
        count = as_index(given)
        if count is None or count < 0:
            raise step.repeat.node.error(f"repeat must be an integer of at least 0, got {given}")
        if count > limit("steps"):
            raise step.repeat.node.error(exceeded("steps", f"repeat {count} is too large"))
        for index in range(count):
            yield self.more(variables, {"i": index})

    def more(self, variables: StepVariables, others: StepVariables) -> StepVariables:
        """Return the variables and others in a new dict, whose size counts as work."""
        self.draft.work += len(variables) // 8
        return variables | others
