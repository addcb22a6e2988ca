"""The values of a step's expressions while it is expanded, and the turns of its loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archcalc.arithmetic import as_index
from archcalc.language.draft import Flow, GraphBuilder
from archcalc.language.limits import exceeded, limit
from archcalc.language.steps import Step, Value
from archcalc.language.values import ShapeValue, leaves

StepVariables = dict[str, Any]


class Evaluation:
    """Evaluates for one draft, which counts the work."""

    def __init__(self, draft: GraphBuilder) -> None:
        self.draft = draft

    def value(self, value: Value, flow: Flow, variables: StepVariables) -> Any:
        """The value of an expression, `input` being the shape of ``flow``."""
        if value.constant is not None:
            return value.constant
        if value.asks_input:
            variables["input"] = ShapeValue(flow.shape)
        self.draft.work += value.weight
        return value.evaluate(variables)

    def argument(self, value: Value, flow: Flow, variables: StepVariables) -> Any:
        """The value of an operator's argument: a number, a word or a list of such, but no shape."""
        result = self.value(value, flow, variables)
        if result.__class__ is int:  # as most are
            return result
        if any(isinstance(one, ShapeValue) for one in leaves(result)):
            raise value.node.error("this is a shape, and a number is expected: say which part, such as input.channels")
        return result

    def condition(self, when: Value, flow: Flow, variables: StepVariables) -> bool:
        """Whether a step is there."""
        condition = self.value(when, flow, variables)
        if condition is not True and condition is not False:
            raise when.node.error(f"when takes true or false, not {condition}")
        return condition

    def walked(self, step: Step, flow: Flow, variables: StepVariables) -> Iterator[StepVariables]:
        """The variables of each turn of a step's `for`; those around it once if it has none."""
        if step.loop is None:
            yield variables
            return
        lists = {name: self.value(value, flow, variables) for name, value in step.loop.items()}
        for name, values in lists.items():
            if not isinstance(values, (list, tuple)):
                raise step.loop[name].node.error(f"for takes a list for {name}")
        if len({len(values) for values in lists.values()}) > 1:
            lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
            raise step.node.error(f"the lists of a for must have the same length: {lengths}")
        for index, values in enumerate(zip(*lists.values(), strict=True)):
            yield self.more(variables, {"i": index} | dict(zip(lists, values, strict=True)))

    def repeated(self, step: Step, flow: Flow, variables: StepVariables) -> Iterator[StepVariables]:
        """The variables of each turn of a step's `repeat`; those around it once if it has none."""
        if step.repeat is None:
            yield variables
            return
        given = self.value(step.repeat, flow, variables)
        count = as_index(given)
        if count is None or count < 0:
            raise step.repeat.node.error(f"repeat takes a whole number not below 0, not {given}")
        if count > limit("steps"):
            raise step.repeat.node.error(exceeded("steps", f"repeat {count} is too much"))
        for index in range(count):
            yield self.more(variables, {"i": index})

    def more(self, variables: StepVariables, others: StepVariables) -> StepVariables:
        """The variables and others, for steps that remember them: their memory counts as work."""
        self.draft.work += len(variables) // 8
        return variables | others
