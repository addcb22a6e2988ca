"""Expansion: steps, with numbers, become layers.

A mistake does not stop the expansion: what follows from it has an unknown shape, and whatever can still be checked is
checked, so that one run finds all there is to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count, repeat
from typing import Any

from archcalc.arithmetic import ShapeError
from archcalc.errors import Diagnostic, OperatorCall, Overflow, SpecError, TooMany
from archcalc.language.application import applied
from archcalc.language.draft import ABSENT, NOWHERE, Flow, GraphBuilder, Made, Named
from archcalc.language.evaluation import Evaluation
from archcalc.language.joins import disagreement
from archcalc.language.limits import exceeded, limit
from archcalc.language.names import Names
from archcalc.language.scope import Scope
from archcalc.language.steps import Apply, Block, Group, SharedStep, SideOutput, Step, Value, replacing
from archcalc.language.values import ShapeValue, Unknown
from archcalc.network import Layer
from archcalc.ops import registry
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import shape_text
from archcalc.words import did_you_mean, quote

Take = Callable[[Step, Flow, Scope, dict[str, Any], "int | None"], Flow]
"""How a step is taken: at a flow, in a scope, with variables, and in which turn of its loop."""


class Expansion:
    """The state of one expansion."""

    MOST_MISTAKES, MOST_FAILURES = 50, 1000
    """Where it gives up: after so many different mistakes, or so many times that a step could not be taken."""

    def __init__(
        self,
        blocks: dict[str, Block],
        replacements: dict[str, list[Step]],
        step_names: set[str],
        variables: dict[str, Any],
        is_plain: bool,
    ) -> None:
        self.world = None if is_plain else object()
        """Where applications of operators are alike: plain numbers everywhere, symbols within one expansion."""
        self.globals = variables
        """What every expression sees: the network's parameters, and the names of operators and blocks as words."""
        self.operators = registry()
        self.blocks = blocks
        self.replacements = replacements
        self.replaced: set[str] = set()
        self.draft = GraphBuilder()
        self.evaluation = Evaluation(self.draft)
        self.names = Names(self.draft, step_names)
        self.mistakes: dict[Diagnostic, None] = {}
        self.failures = 0
        self.made: dict[tuple[Any, ...], Made] = {}
        self.inside: list[str] = []
        self.nesting = 0
        self.side = self.train = False
        self.shared: SharedStep | None = None
        """The outermost step that takes an earlier one again, while it does."""
        self.most_steps, self.most_work = limit("steps"), limit("work")
        self.most_layers, self.most_nesting = limit("layers"), limit("nesting")

    # -- steps

    def run(self, steps: list[Step], flow: Flow, scope: Scope, variables: dict[str, Any]) -> Flow:
        """Take steps one after another."""
        self.enter(steps)
        for step in steps:
            flow = self.attempt(self.chain if step.loops else self.once, step, flow, scope, variables)
        self.nesting -= 1
        return flow

    def enter(self, steps: list[Step]) -> None:
        """Go one level down, to the steps inside a step."""
        self.nesting += 1
        if self.nesting > self.most_nesting and steps:
            raise Overflow(steps[0].node.error(exceeded("nesting", "steps stand in steps too deep")))

    def attempt(
        self, take: Take, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None = None
    ) -> Flow:
        """Take a step; keep its mistakes and go on with an unknown shape."""
        draft = self.draft
        draft.taken += 1
        if draft.taken > self.most_steps:
            raise Overflow(step.node.error(exceeded("steps", "this network takes too many steps")))
        if draft.work > self.most_work:
            raise Overflow(step.node.error(exceeded("work", "this network is too much work")))
        try:
            return take(step, flow, scope, variables, turn)
        except SpecError as error:
            self.note(error)
        except Unknown:
            pass
        return NOWHERE

    def note(self, error: SpecError) -> None:
        """Keep mistakes, each once; with very many, stop."""
        error = self.where_shared(error)
        self.mistakes.update(dict.fromkeys(error.diagnostics))
        self.failures += 1
        if len(self.mistakes) >= self.MOST_MISTAKES or self.failures >= self.MOST_FAILURES:
            raise TooMany

    def chain(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """A step with its loops, each turn taking what the turn before it gives."""
        fixed = scope.path + step.name.fill(variables) if step.name is not None and step.name.fixed else None
        instead = self.replacement(step, fixed, scope) if fixed is not None else None
        if instead is not None:
            return self.chain(instead, flow, scope, variables, turn)
        number = 0
        for walked in self.evaluation.walked(step, flow, variables):
            for inner in self.evaluation.repeated(step, flow, walked):
                flow = self.attempt(self.once, step, flow, scope, inner, number if step.loops else None)
                number += 1
        if fixed is not None and step.loops:  # the loop as a whole: what its last turn gives
            self.draft.named[fixed] = Named(flow, step, variables, 0, 0, "a loop")
        return flow

    def once(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """One turn of a step; where its `when` leaves it out, what it would have taken passes."""
        if self.is_there(step, flow, scope, variables):
            return self.there(step, flow, scope, variables, turn)
        return self.left_out(step, flow, scope, variables, turn)

    def branch(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """One turn of a step that is a branch; where its `when` leaves it out, `ABSENT`."""
        if self.is_there(step, flow, scope, variables):
            return self.there(step, flow, scope, variables, turn)
        self.left_out(step, flow, scope, variables, turn)
        return ABSENT

    def is_there(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any]) -> bool:
        """Whether its `when` holds, which is asked before `from` is looked up, if it does not ask for `input`."""
        if step.when is None or step.broken:
            return True
        if step.sources and step.when.asks_input:
            flow = self.names.find(step.sources[0], scope, variables, flow)
        return self.evaluation.condition(step.when, flow, variables)

    def left_out(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """What passes in place of a step: what its `from` names if that is one step, else what came before it."""
        if step.sources and len(step.sources) == 1:
            # What is not there may be left out because of that (`from: "s{i - 1}"`, `when: i > 0`).
            with suppress(SpecError):
                flow = self.names.find(step.sources[0], scope, variables, flow)
        self.names.leave_out(step, flow, scope.path, variables, turn)
        return flow

    def there(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """One turn of a step that is not left out: its inputs, its name."""
        if step.broken:
            _, path = self.names.naming(step, flow, scope, variables, turn)
            self.draft.named[path] = Named(NOWHERE, step, variables, 0, 0)
            return NOWHERE
        flows = (
            [self.names.find(template, scope, variables, flow) for template in step.sources] if step.sources else [flow]
        )
        if isinstance(step, Group) and step.name is None:
            outside = self.train
            self.train = self.train or step.train
            flow = self.run(step.steps, flows[0], scope, variables)
            self.train = outside
            return flow
        if isinstance(step, Apply) and step.use is not None:
            step = step.picking(self.chosen(step.use, flows[0], variables))
        inner, path = self.names.naming(step, flows[0], scope, variables, turn)
        instead = self.replacement(step, path, inner)
        if instead is None:
            return self.take(step, path, flows, inner, variables)
        inner.release(path)
        return self.chain(instead, flow, inner, variables, None)

    def replacement(self, step: Step, path: str, scope: Scope) -> Step | None:
        """What stands in place of the step of that path, if anything does."""
        if path not in self.replacements or path in self.replaced:
            return None
        self.replaced.add(path)
        return replacing(self.replacements[path], step, path[len(scope.path) :])

    def take(self, step: Step, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]) -> Flow:
        """A step with its name fixed: apply it, and remember it under that name."""
        first = len(self.draft.layers)
        outside = self.side, self.train
        self.side = self.side or isinstance(step, SideOutput)
        self.train = self.train or step.train
        result, meant, known = NOWHERE, step, variables
        try:
            if isinstance(step, SharedStep):
                earlier = self.names.lookup(step.target, scope, variables)
                meant, known = earlier.step, earlier.variables  # if it is shared in its turn
                result = self.share(step, earlier, path, flows, scope)
            else:
                result = self.apply(step, path, flows, scope, variables)
        finally:
            self.side, self.train = outside
            self.draft.named[path] = Named(result, meant, known, first, len(self.draft.layers))
        if isinstance(step, SideOutput):
            self.draft.sides[path] = result.source
            return flows[0]
        if self.train or step.train:
            self.check_training_only(step, flows[0], result)
        return result

    def check_training_only(self, step: Step, before: Flow, after: Flow) -> None:
        """State that the main path has the same shapes without a step that exists only in training."""
        if not self.side and None not in (before.shape, after.shape) and before.shape != after.shape:
            raise step.node.error(
                "a step that exists only in training cannot change the main path's shape: "
                f"it makes {shape_text(after.shape or ())} of {shape_text(before.shape or ())}"
            )

    def apply(self, step: Step, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]) -> Flow:
        if isinstance(step, (Group, SideOutput)):
            self.draft.groups[path] = ""
            return self.run(step.steps, flows[0], scope.inner(path, step.numbered), variables)
        assert isinstance(step, Apply)
        if step.head in self.blocks:
            return self.block(self.blocks[step.head], step, path, flows, scope, variables)
        if step.head not in self.operators:  # a block whose own form has mistakes, which are noted already
            raise Unknown
        return self.operator(self.operators[step.head], step, path, flows, scope, variables)

    # -- heads

    def chosen(self, use: Value, flow: Flow, variables: dict[str, Any]) -> str:
        """The operator or block that `use` picks."""
        head = self.evaluation.value(use, flow, variables)
        if not isinstance(head, str) or (head not in self.operators and head not in self.blocks):
            hint = did_you_mean(str(head), [*self.blocks, *self.operators])
            raise use.node.error(f"use takes the name of a block or operator, not {quote(str(head))}{hint}")
        return head

    def operator(
        self, kind: type[Operator], step: Apply, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]
    ) -> Flow:
        """Apply an operator."""
        if step.branches is not None:
            flows = self.branches(kind, step, flows, scope, variables)
        names, values = step.given_to_operator(kind)
        given = [
            value.constant if value.constant is not None else self.evaluation.argument(value, flows[0], variables)
            for value in values
        ]
        sources, shapes = zip(*flows, strict=True)
        if None in shapes:
            return Flow(path, None)
        try:
            op = applied(self.world, kind, shapes, names, given)
        except ShapeError as error:
            culprit = dict(zip(names, values, strict=True)).get(getattr(error, "argument", ""))
            prefix = f"{path}: " if scope.path else ""
            reason = "" if culprit else disagreement(self.draft, flows)
            mistake = (culprit.node if culprit else step.node).error(f"{prefix}{error}{reason}")
            arguments = dict(zip(names, given, strict=True))
            raise mistake.with_call(OperatorCall(path, kind, shapes, arguments)) from None
        if len(self.draft.layers) >= self.most_layers:
            raise Overflow(step.node.error(exceeded("layers", "this network has too many layers")))
        self.draft.layers.append(Layer(path, op, sources, step.node, self.side, self.train))
        return Flow(path, op.output)

    def branches(
        self, kind: type[Operator], step: Apply, flows: list[Flow], scope: Scope, variables: dict[str, Any]
    ) -> list[Flow]:
        """The flows that a step's branches end with: one for each turn of each branch that is there."""
        assert step.branches is not None
        if not step.branches:
            raise step.node.error(f"{step.head} has no branches")
        if len(flows) > 1:
            raise step.node.error(f"{step.head} takes branches or from: [several names], not both")
        self.enter(step.branches)
        ends = [end for branch in step.branches for end in self.turns(branch, flows[0], scope, variables)]
        self.nesting -= 1
        found = [end for end in ends if end is not ABSENT]
        if len(found) < min(len(step.branches), kind.least_inputs):
            raise step.node.error(
                f"{step.head} needs {kind.least_inputs} branches, and when leaves out all but {len(found)}; "
                "for the input itself in place of a branch, make it a list: - - {…, when: …}"
            )
        return found

    def turns(self, branch: Step, flow: Flow, scope: Scope, variables: dict[str, Any]) -> list[Flow]:
        """What each turn of a branch ends with: all of them start at the same flow."""
        number = count() if branch.loops else repeat(None)
        return [
            self.attempt(self.branch, branch, flow, scope, inner, next(number))
            for walked in self.evaluation.walked(branch, flow, variables)
            for inner in self.evaluation.repeated(branch, flow, walked)
        ]

    def block(
        self, block: Block, step: Apply, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]
    ) -> Flow:
        """Expand a block."""
        if block.name in self.inside:
            circle = " → ".join([*self.inside[self.inside.index(block.name) :], block.name])
            raise step.node.error(f"the block {block.name} contains itself: {circle}")
        if len(flows) != len(block.inputs):
            need = ", ".join(block.inputs)
            raise step.node.error(
                f"{block.name} takes {len(block.inputs)} inputs ({need}), and is given {len(flows)}"
                if len(block.inputs) > 1
                else f"{block.name} takes one input, and is given {len(flows)}"
            )
        own = self.block_variables(block, step, flows, variables)
        self.draft.groups[path] = block.name
        alike = self.likeness(block, flows, own)
        made = self.made.get(alike) if alike else None
        if made is not None and self.draft.affords(made):
            return self.draft.repeat(made, path, flows)
        inner = Scope(f"{path}.", None, block.numbered)
        inner.given = dict(zip(block.inputs, flows, strict=True))
        inner.given["input"] = flows[0]
        start = self.draft.mark()
        self.inside.append(block.name)
        try:
            result = self.run(block.steps, flows[0], inner, own)
        finally:
            self.inside.pop()
        if alike and not self.mistakes:
            self.made[alike] = self.draft.since(start, path, flows, result)
        return result

    def likeness(self, block: Block, flows: list[Flow], own: dict[str, Any]) -> tuple[Any, ...] | None:
        """What decides what a block makes; None where that is not known."""
        if self.replacements or self.mistakes:
            return None
        sources = [flow.source for flow in flows]
        alike = (
            block.name,
            *self.inside,
            self.side,
            self.train,
            *[(flow.shape, sources.index(flow.source)) for flow in flows],
            *[(own[name].__class__, own[name]) for name in block.params],
        )
        try:
            hash(alike)
        except TypeError:  # a parameter that is a list has no hash
            return None
        return alike

    def block_variables(
        self, block: Block, step: Apply, flows: list[Flow], variables: dict[str, Any]
    ) -> dict[str, Any]:
        """A block's parameters: what the step gives, then the defaults, each of which may use those before it."""
        given = step.given_to_block(block)
        own = self.evaluation.more(self.globals, {"input": ShapeValue(flows[0].shape)})
        for input_name, flow in zip(block.inputs, flows, strict=True):
            own[input_name] = ShapeValue(flow.shape)
        for parameter, default in block.params.items():
            value = given.get(parameter)
            if value is not None:
                own[parameter] = self.evaluation.value(value, flows[0], variables)
            elif default is not None:
                own[parameter] = self.evaluation.value(default, flows[0], own)
            else:
                raise step.node.error(f"the block {block.name} needs {parameter}")
        return own

    def where_shared(self, error: SpecError) -> SpecError:
        """The mistakes of steps that are shared, where `share` stands: where the steps stand they are none."""
        if self.shared is None:
            return error
        return error.moved(self.shared.node.place, f"{quote(self.shared.target.node.text)} does not fit here")

    def share(self, step: SharedStep, earlier: Named, path: str, flows: list[Flow], scope: Scope) -> Flow:
        """Take an earlier step again, at another input, with the same weights."""
        name = quote(step.target.node.text)
        if earlier.unshared:
            hint = "share one of its turns" if earlier.unshared == "a loop" else "it has no weights here"
            raise step.node.error(f"{name} is {earlier.unshared}, so cannot be shared: {hint}")
        first = len(self.draft.layers)
        outside, self.shared = self.shared, self.shared or step
        try:
            result = self.apply(earlier.step, path, flows, scope, earlier.variables)
        except SpecError as error:
            raise self.where_shared(error) from None
        finally:
            self.shared = outside
        again, before = self.draft.layers[first:], self.draft.layers[earlier.first : earlier.last]
        if result.shape is None:
            return result
        if len(again) != len(before):
            raise step.node.error(f"{name} has other layers at this input, so cannot be shared")
        for layer, original in zip(again, before, strict=True):
            if layer.op.weights() != original.op.weights():
                raise step.node.error(
                    f"the weights of {original.name} do not fit here: it was given {shape_text(original.op.x)}, "
                    f"and here it is given {shape_text(layer.op.x)}"
                )
            if original.op.weights():
                layer.shares = original.shares or original.name
        return result
