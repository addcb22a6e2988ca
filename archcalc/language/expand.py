"""Expansion: steps become layers, and expressions become numbers.

An error does not stop the expansion: the output of its step has an unknown shape, and the rest is still checked. So one
run finds every error.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count, repeat
from typing import Any, NamedTuple

from archcalc.arithmetic import ShapeError
from archcalc.errors import Diagnostic, Overflow, RefusedCall, SpecError, TooMany
from archcalc.language.application import applied
from archcalc.language.draft import ABSENT, NOWHERE, Flow, GraphBuilder, Named
from archcalc.language.edits import Edits, Pending
from archcalc.language.evaluation import Evaluation
from archcalc.language.joins import explained
from archcalc.language.limits import exceeded, limit
from archcalc.language.names import Names
from archcalc.language.scope import Scope
from archcalc.language.shares import check_shareable, take_weights
from archcalc.language.steps import Apply, Block, Group, SharedStep, SideOutput, Step, Value
from archcalc.language.ties import Ties
from archcalc.language.values import ShapeValue, UnknownShape
from archcalc.network import Layer
from archcalc.ops import registry
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import shape_text
from archcalc.words import did_you_mean, help_line, quote

Take = Callable[[Step, Flow, Scope, dict[str, Any], "int | None"], Flow]
"""A way to take a step: at a flow, in a scope, with variables, and in which turn of its loop."""


class Around(NamedTuple):
    """What the steps around a step say of it."""

    side: bool = False
    train: bool = False
    trainable: bool = True
    dtype: str = ""


class Expansion:
    """The state of one expansion."""

    MAX_ERRORS, MAX_FAILURES = 50, 1000
    """It stops after this many different errors, or this many failed attempts to take a step."""

    def __init__(
        self,
        blocks: dict[str, Block],
        edits: Edits,
        step_names: set[str],
        variables: dict[str, Any],
        is_plain: bool,
    ) -> None:
        self.world = None if is_plain else object()
        """Part of the key under which operator calls are cached: None for plain numbers; symbols differ in each run."""
        self.globals = variables
        """The variables of every expression: the spec parameters, and the names of operators and blocks as words."""
        self.operators = registry()
        self.blocks = blocks
        self.edits = Pending(edits)
        self.draft = GraphBuilder()
        self.names = Names(self.draft, step_names)
        self.evaluation = Evaluation(self.draft, self.names)
        self.ties = Ties(self.draft)
        self.diagnostics: dict[Diagnostic, None] = {}
        self.failures = 0
        self.inside: list[str] = []
        self.nesting = 0
        self.around = Around()
        self.shared: SharedStep | None = None
        """The outermost `share` that is being expanded."""
        self.most_steps, self.most_work = limit("steps"), limit("work")
        self.most_layers, self.most_nesting = limit("layers"), limit("nesting")

    # -- steps

    def run(self, steps: list[Step], flow: Flow, scope: Scope, variables: dict[str, Any]) -> Flow:
        """Take steps in order; return the output of the last."""
        self.enter(steps)
        for step in steps:
            flow = self.attempt(self.chain if step.loops else self.once, step, flow, scope, variables)
        self.nesting -= 1
        return flow

    def enter(self, steps: list[Step]) -> None:
        """Go one level down, to the steps inside a step."""
        self.nesting += 1
        if self.nesting > self.most_nesting and steps:
            raise Overflow(steps[0].node.error(exceeded("nesting", "steps are nested too deep")))

    def attempt(
        self, take: Take, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None = None
    ) -> Flow:
        """Take a step; if it has errors, keep them and return an unknown shape."""
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
        except UnknownShape:
            pass
        return NOWHERE

    def note(self, error: SpecError) -> None:
        """Keep each error once; raise `TooMany` after very many."""
        error = self.where_shared(error)
        self.diagnostics.update(dict.fromkeys(error.diagnostics))
        self.failures += 1
        if len(self.diagnostics) >= self.MAX_ERRORS or self.failures >= self.MAX_FAILURES:
            raise TooMany

    def chain(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """Take a step with its loops; each turn gets the output of the turn before it."""
        fixed = scope.path + step.name.fill(variables) if step.name is not None and step.name.fixed else None
        if fixed is not None:
            flow = self.run(self.edits.insertion("before", fixed, step), flow, scope, variables)
            instead = self.edits.replacement(step, fixed, fixed[len(scope.path) :])
            if instead is not None:
                end = self.chain(instead, flow, scope, variables, turn)
                return self.run(self.edits.insertion("after", fixed, step), end, scope, variables)
        number = 0
        for walked in self.evaluation.walked(step, flow, scope, variables):
            for inner in self.evaluation.repeated(step, flow, scope, walked):
                flow = self.attempt(self.once, step, flow, scope, inner, number if step.loops else None)
                number += 1
        if fixed is not None and step.loops:  # the name of the loop means its last turn
            self.draft.named[fixed] = Named(flow, step, variables, 0, 0, "a loop")
            flow = self.run(self.edits.insertion("after", fixed, step), flow, scope, variables)
        return flow

    def once(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """Take one turn of a step; if its `when` leaves it out, its input passes."""
        if self.is_there(step, flow, scope, variables):
            return self.there(step, flow, scope, variables, turn)
        return self.left_out(step, flow, scope, variables, turn)

    def branch(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """Take one turn of a branch; return `ABSENT` if its `when` leaves it out."""
        if self.is_there(step, flow, scope, variables):
            return self.there(step, flow, scope, variables, turn)
        self.left_out(step, flow, scope, variables, turn)
        return ABSENT

    def is_there(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any]) -> bool:
        """True if its `when` holds. `from` is looked up before only if the condition needs `input`."""
        if step.when is None or step.broken:
            return True
        if step.sources and step.when.asks_input:
            [flow, *_] = self.names.find(step.sources[:1], scope, variables, flow)
        return self.evaluation.condition(step.when, flow, scope, variables)

    def left_out(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """Return what passes in place of a step: what its `from` names if that is one step, else the step's input."""
        if step.sources and len(step.sources) == 1:
            # The step may be left out because its source does not exist (`from: "s{i - 1}"`, `when: i > 0`).
            with suppress(SpecError):
                found = self.names.find(step.sources, scope, variables, flow)
                flow = found[0] if len(found) == 1 else flow
        self.names.leave_out(step, flow, scope.path, variables, turn)
        return flow

    def there(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any], turn: int | None) -> Flow:
        """Take one turn of a step that is not left out: find its inputs and its name."""
        if step.broken:
            _, path = self.names.naming(step, flow, scope, variables, turn)
            self.draft.named[path] = Named(NOWHERE, step, variables, 0, 0)
            return NOWHERE
        flows = self.names.find(step.sources, scope, variables, flow) if step.sources else [flow]
        if isinstance(step, Group) and step.name is None:
            outside, self.around = self.around, self.inside_of(step, flows[0], scope, variables)
            flow = self.run(step.steps, flows[0], scope, variables)
            self.around = outside
            return flow
        if isinstance(step, Apply) and step.use is not None:
            step = step.picking(self.chosen(step.use, flows[0], scope, variables))
        inner, path = self.names.naming(step, flows[0], scope, variables, turn)
        if not self.edits.nodes:
            return self.take(step, path, flows, inner, variables)
        before = self.edits.insertion("before", path, step)
        if before:
            flow = self.run(before, flow, inner, variables)
            flows = [flow]
        after = self.edits.insertion("after", path, step)
        instead = self.edits.replacement(step, path, path[len(inner.path) :])
        if instead is None:
            end = self.take(step, path, flows, inner, variables)
        else:
            inner.release(path)
            end = self.chain(instead, flow, inner, variables, None)
        return self.run(after, end, inner, variables)

    def take(self, step: Step, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]) -> Flow:
        """Apply a step whose name is known, and remember it under that name."""
        first = len(self.draft.layers)
        outside, self.around = self.around, self.inside_of(step, flows[0], scope, variables)
        result, meant, known = NOWHERE, step, variables
        unshared = "in several parts" if isinstance(step, Group) and scope.continues(path) else ""
        try:
            if isinstance(step, SharedStep):
                earlier = self.names.lookup(step.target, scope, variables)
                meant, known = earlier.step, earlier.variables  # a share of a share
                result = self.share(step, earlier, path, flows, scope)
            else:
                result = self.apply(step, path, flows, scope, variables)
        finally:
            self.around = outside
            self.draft.named[path] = Named(result, meant, known, first, len(self.draft.layers), unshared)
        if isinstance(step, SideOutput):
            self.draft.sides[path] = result.source
            return flows[0]
        if self.around.train or step.train:
            self.check_training_only(step, flows[0], result)
        return result

    def inside_of(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any]) -> Around:
        """Return what is said of the steps in a step: what it says itself goes before what is said around it."""
        return Around(
            self.around.side or isinstance(step, SideOutput),
            self.around.train or step.train,
            self.is_trainable(step, flow, scope, variables),
            step.dtype or self.around.dtype,
        )

    def is_trainable(self, step: Step, flow: Flow, scope: Scope, variables: dict[str, Any]) -> bool:
        """True if the weights of a step are trained."""
        if step.trainable is None:
            return self.around.trainable
        if isinstance(step, SharedStep):
            target = quote(step.target.node.text)
            raise step.trainable.node.error(f"the weights are those of {target}, which says whether they are trained")
        return self.evaluation.condition(step.trainable, flow, scope, variables, "trainable")

    def check_training_only(self, step: Step, before: Flow, after: Flow) -> None:
        """Raise if a step that exists only in training changes the shape on the main path."""
        if not self.around.side and None not in (before.shape, after.shape) and before.shape != after.shape:
            raise step.node.error(
                "a step that exists only in training must keep the shape: "
                f"got {shape_text(before.shape or ())}, gives {shape_text(after.shape or ())}"
            )

    def apply(self, step: Step, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]) -> Flow:
        """Expand a group or a block, or call an operator."""
        if isinstance(step, (Group, SideOutput)):
            self.draft.groups[path] = ""
            return self.run(step.steps, flows[0], scope.group(path, step.numbered), variables)
        assert isinstance(step, Apply)
        if step.head in self.blocks:
            return self.block(self.blocks[step.head], step, path, flows, scope, variables)
        if step.head not in self.operators:  # a block whose definition has errors, which are noted already
            raise UnknownShape
        return self.operator(self.operators[step.head], step, path, flows, scope, variables)

    # -- heads

    def chosen(self, use: Value, flow: Flow, scope: Scope, variables: dict[str, Any]) -> str:
        """Return the operator or block that `use` picks."""
        head = self.evaluation.value(use, flow, scope, variables)
        if not isinstance(head, str) or (head not in self.operators and head not in self.blocks):
            hint = did_you_mean(str(head), [*self.blocks, *self.operators])
            raise use.node.error(f"use takes the name of a block or operator, got {quote(str(head))}{hint}")
        return head

    def operator(
        self, kind: type[Operator], step: Apply, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]
    ) -> Flow:
        """Call an operator, and add the layer."""
        if step.branches is not None:
            flows = self.branches(kind, step, flows, scope, variables)
        names, values = step.given_to_operator(kind)
        given = [
            value.constant
            if value.constant is not None
            else self.evaluation.argument(value, flows[0], scope, variables)
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
            message = str(error) if culprit else explained(str(error), kind, self.draft, flows)
            refused = (culprit.node if culprit else step.node).error(prefix + message)
            arguments = dict(zip(names, given, strict=True))
            raise refused.with_call(RefusedCall(path, kind, shapes, arguments)) from None
        if len(self.draft.layers) >= self.most_layers:
            raise Overflow(step.node.error(exceeded("layers", "this network has too many layers")))
        layer = Layer(path, op, sources, step.node, self.around.side, self.around.train)
        layer.trainable, layer.dtype = self.around.trainable, self.around.dtype
        if step.ties:
            layer.ties = self.ties.of(step, layer, lambda template: self.names.lookup(template, scope, variables))
        self.draft.layers.append(layer)
        return Flow(path, op.output)

    def branches(
        self, kind: type[Operator], step: Apply, flows: list[Flow], scope: Scope, variables: dict[str, Any]
    ) -> list[Flow]:
        """Return the outputs of a step's branches, one for each turn of each branch that is not left out."""
        assert step.branches is not None
        if not step.branches:
            raise step.node.error(f"{step.head} has no branches")
        if len(flows) > 1:
            raise step.node.error(
                f"{step.head} got both branches and several names in from" + help_line("remove one of the two")
            )
        self.enter(step.branches)
        ends = [end for branch in step.branches for end in self.turns(branch, flows[0], scope, variables)]
        self.nesting -= 1
        found = [end for end in ends if end is not ABSENT]
        if len(found) < min(len(step.branches), kind.least_inputs):
            raise step.node.error(
                f"{step.head} needs {kind.least_inputs} branches, and when leaves out all but {len(found)}"
                + help_line("write - - {…, when: …} for a branch that is the input itself when its step is left out")
            )
        return found

    def turns(self, branch: Step, flow: Flow, scope: Scope, variables: dict[str, Any]) -> list[Flow]:
        """Return the output of each turn of a branch; every turn starts at the same flow."""
        number = count() if branch.loops else repeat(None)
        return [
            self.attempt(self.branch, branch, flow, scope, inner, next(number))
            for walked in self.evaluation.walked(branch, flow, scope, variables)
            for inner in self.evaluation.repeated(branch, flow, scope, walked)
        ]

    def block(
        self, block: Block, step: Apply, path: str, flows: list[Flow], scope: Scope, variables: dict[str, Any]
    ) -> Flow:
        if block.name in self.inside:
            circle = " → ".join([*self.inside[self.inside.index(block.name) :], block.name])
            raise step.node.error(f"the block {block.name} contains itself: {circle}")
        if len(flows) != len(block.inputs):
            plural = "s" if len(block.inputs) > 1 else ""
            names = f" ({', '.join(block.inputs)})" if len(block.inputs) > 1 else ""
            raise step.node.error(f"{block.name} takes {len(block.inputs)} input{plural}{names}, got {len(flows)}")
        inner = Scope(f"{path}.", None, block.numbered)
        inner.given = dict(zip(block.inputs, flows, strict=True))
        inner.given["input"] = flows[0]
        given = {
            parameter: self.evaluation.value(value, flows[0], scope, variables)
            for parameter, value in step.given_to_block(block).items()
        }
        own = self.block_variables(block, step, given, inner)
        self.draft.groups[path] = block.name
        self.inside.append(block.name)
        try:
            end = self.run(block.steps, flows[0], inner, own)
            if not block.outputs:
                return end
            ends = self.names.find(block.outputs, inner, own, end)
            self.draft.offered.update(flow.source for flow in ends)
            return ends[0]
        finally:
            self.inside.pop()

    def block_variables(self, block: Block, step: Apply, given: dict[str, Any], inner: Scope) -> dict[str, Any]:
        """Return a block's variables: the step's arguments, then defaults, which may use the parameters before them."""
        first = inner.given["input"]
        own = self.evaluation.more(self.globals, {"input": ShapeValue(first.shape)})
        own |= {name: ShapeValue(inner.given[name].shape) for name in block.inputs}
        for parameter, default in block.params.items():
            if parameter in given:
                own[parameter] = given[parameter]
            elif default is not None:
                own[parameter] = self.evaluation.value(default, first, inner, own)
            else:
                raise step.node.error(f"the block {block.name} needs {parameter}")
        return own

    def where_shared(self, error: SpecError) -> SpecError:
        """Move errors of shared steps to the `share`, because the steps themselves are valid."""
        if self.shared is None:
            return error
        return error.moved(self.shared.node.place, f"{quote(self.shared.target.node.text)} does not fit here")

    def share(self, step: SharedStep, earlier: Named, path: str, flows: list[Flow], scope: Scope) -> Flow:
        """Take an earlier step again, at another input, with the same weights."""
        check_shareable(step, earlier)
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
        take_weights(step, again, before)
        return result
