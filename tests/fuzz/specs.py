"""A hypothesis strategy that writes random valid specs.

Operators come from the registry, and their arguments from their own declarations: a new operator is fuzzed by
existing. A spec grows step by step; a step that archcalc refuses is left out again, so what remains is valid, and
refusing with anything but a `SpecError` fails at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import yaml
from hypothesis import assume
from hypothesis import strategies as st

import archcalc
from archcalc import SpecError
from archcalc.arithmetic import Shape, Unmet, product
from archcalc.network import Network
from archcalc.ops import registry
from archcalc.ops.arguments import AnyWhole, Choice, Flag, ListOf, Or, PerDimension, Real, Sides, Whole
from archcalc.ops.operator import Operator
from tests.fuzz.control import FORMS, Form, Said

Draw = Callable[[st.SearchStrategy[Any]], Any]
Step = dict[str, Any]

MOST_ELEMENTS = 6_000
MOST_WEIGHTS = 30_000
MOST_MACS = 2_000_000
ATTEMPTS = 8
"""How often arguments are drawn for an operator before another is taken."""
NUMBERS = ("1/3", "0.5", "2", "0.125", "-0.25", "0.001", "1", "3/2", "0")
SMALL = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8)


def is_small(op: Operator) -> bool:
    """Whether PyTorch runs it in no time."""
    weights = sum(product(shape) for shape in (*op.weights().values(), *op.buffers().values()))
    macs = op.work().get("mac", 0) + op.work().get("matmul", 0)
    return op.elements <= MOST_ELEMENTS and weights <= MOST_WEIGHTS and macs <= MOST_MACS


class Author:
    """Writes one spec."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.operators = registry()
        self.head: dict[str, Any] = {"name": "fuzz"}
        self.params: dict[str, Any] = {}
        self.blocks: dict[str, Any] = {}
        self.steps: list[Any] = []
        self.meant: list[Any] = []
        """The same network without words of control: loops are written out, and what is left out is not there."""
        self.count = 0
        self.network: Network | None = None

    # -- drawing

    def chance(self, one_in: int) -> bool:
        """True once in so many times; false is the simpler one."""
        return bool(self.draw(st.integers(0, one_in - 1)) == one_in - 1)

    def pick(self, options: Any) -> Any:
        """One of them."""
        return self.draw(st.sampled_from(list(options)))

    def number(self, least: int, most: int) -> int:
        """A whole number."""
        return int(self.draw(st.integers(least, most)))

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        self.count += 1
        return f"{prefix}{self.count}"

    # -- arguments, as they are declared

    def value(self, type_: Any, shape: Shape) -> Any:
        """A value that an argument of this type may take, often one that fits the input's shape."""
        rank = len(shape) - 1
        if isinstance(type_, Choice):
            return self.pick(type_.options)
        if isinstance(type_, Flag):
            return self.draw(st.booleans())
        if isinstance(type_, Whole):
            sizes = [size for size in (*shape, *(n // 2 for n in shape)) if type_.least <= size <= 24]
            return self.pick([type_.least, *SMALL, *sizes])
        if isinstance(type_, AnyWhole):
            return self.pick([0, 1, -1, 2, -2, 3, *range(-len(shape), len(shape)), *shape[-1:]])
        if isinstance(type_, Real):
            low, high = (-10 if type_.least is None else type_.least), (10 if type_.most is None else type_.most)
            return self.pick([text for text in NUMBERS if low <= eval(text) <= high])  # our own constants
        if isinstance(type_, PerDimension):
            if rank < 1 or not self.chance(3):
                return self.value(type_.item, shape)
            return [self.value(type_.item, shape) for _ in range(rank)]
        if isinstance(type_, Sides):
            if not self.chance(3):
                return self.value(type_.item, shape)
            return [self.value(type_.item, shape), self.value(type_.item, shape)]
        if isinstance(type_, Or):
            return type_.word if self.chance(3) else self.value(type_.other, shape)
        assert isinstance(type_, ListOf), f"the fuzzer knows no {type_}"
        kind = self.number(0, 2)
        if kind == 0:
            return list(self.draw(st.permutations(range(len(shape)))))
        if kind == 1:
            return self.factors(product(shape))
        return [self.value(type_.item, shape) for _ in range(self.number(1, 2))]

    def factors(self, total: int) -> list[int]:
        """Sizes whose product is ``total``; one may be -1."""
        sizes = []
        for _ in range(self.number(0, 2)):
            divisors = [n for n in range(1, min(total, 64) + 1) if total % n == 0]
            sizes.append(self.pick(divisors))
            total //= sizes[-1]
        sizes.append(-1 if self.chance(3) else total)
        return sizes

    def arguments(self, kind: type[Operator], shape: Shape) -> dict[str, Any]:
        """Arguments for an operator: what it must have, and some of what it may have."""
        given = {}
        for name, argument in kind.arguments.items():
            if argument.required or self.chance(3):
                given[name] = self.value(argument.type, shape)
        return given

    def application(self, shapes: list[Shape], kinds: list[str], keep: bool) -> tuple[Step, Operator] | None:
        """An operator of ``kinds`` at these inputs, with arguments that fit; ``keep``: one that keeps the shape."""
        kind = self.operators[self.pick(kinds)]
        for _ in range(ATTEMPTS):
            given = self.arguments(kind, shapes[0])
            try:
                op = kind(shapes, **{name: plain(value) for name, value in given.items()})
            except Unmet:
                continue
            if is_small(op) and (not keep or op.output == shapes[0]):
                return self.step(kind, given), op
        return None

    def step(self, kind: type[Operator], given: dict[str, Any]) -> Step:
        """The operator as a step: its first argument beside its name or under its own."""
        given = dict(given)
        principal = kind.principal()
        head = None
        if principal in given and given[principal] is not None and not kind.joins and not self.chance(6):
            head = given.pop(principal)
        return {kind.kind: head, **given}

    # -- steps; each gives a step for a flow of that shape, or None

    def single(self) -> list[str]:
        """Operators that take one input of numbers."""
        return [
            name
            for name, kind in self.operators.items()
            if kind.least_inputs <= 1 and not kind.joins and not kind.takes_indices
        ]

    def some(self, shape: Shape, most: int, keep: bool) -> tuple[list[Step], Shape]:
        """A few steps, and the shape they end with."""
        steps = []
        for _ in range(self.number(1, most)):
            made = self.application([shape], self.single(), keep)
            if made is not None:
                steps.append(self.marked(made[0]))
                shape = made[1].output
        return steps, shape

    def marked(self, step: Step) -> Step:
        """The step with a name of its own, or with an expression in a number's place."""
        step = dict(step)
        for key, value in step.items():
            if type(value) is int and self.chance(5):
                step[key] = self.expression(value)
        if self.chance(3):
            step["name"] = self.name("n")
        return step

    def expression(self, value: int) -> str:
        """Something that is that number."""
        if self.params and self.chance(2):
            name = self.pick([name for name, one in self.params.items() if isinstance(one, int)] or ["i"])
            if name in self.params:
                return f"{value - self.params[name]} + {name}"
        forms = ("{v} * 1", "max({v}, {v} - 1)", "{v} if true else 0", "[7, {v}][1]", "{v} + 0 * input[0]", "{v}*6//6")
        return str(self.pick(forms)).format(v=value)

    def plain_step(self, shape: Shape) -> Any:
        made = self.application([shape], self.single(), keep=False)
        if made is None:
            return None
        step = self.marked(made[0])
        if made[1].output == shape and self.chance(12):
            step["train"] = True
        elif self.chance(10):
            step["when"] = self.pick(("true", "false", f"len(input.shape) == {len(shape)}"))
        return step if len(step) > 1 or next(iter(step.values())) is not None else next(iter(step))

    def group(self, shape: Shape) -> Any:
        steps, _ = self.some(shape, 3, keep=False)
        step: Step = {self.name("g"): steps}
        if self.chance(3) and not any("name" in one for one in steps):
            step["numbered"] = True
        return step

    def side(self, shape: Shape) -> Any:
        steps, _ = self.some(shape, 2, keep=False)
        return {"side": steps, "name": self.name("s")} | ({"train": True} if self.chance(2) else {})

    def branches(self, shape: Shape) -> Any:
        kind = self.pick([name for name, one in self.operators.items() if one.joins])
        most = self.operators[kind].most_inputs or 3
        least = max(self.operators[kind].least_inputs, 1)
        branches: list[Any] = []
        for _ in range(self.number(least, most)):
            steps, _ = self.some(shape, 2, keep=True) if not self.chance(4) else ([], shape)
            if self.operators[kind].arguments and len(shape) > 0 and self.chance(2):
                widening = self.application([shape], ["linear"] if len(shape) == 1 else ["conv", "linear"], False)
                steps = [*steps, *([widening[0]] if widening else [])]
            if self.chance(4):
                branches.append({self.name("b"): steps})
            else:
                branches.append(steps)
        step: Step = {kind: branches}
        if self.operators[kind].arguments and self.chance(2):
            step |= {"axis": self.pick((0, -1))}
        if self.chance(3):
            step["name"] = self.name("n")
        return step

    def earlier(self, shape: Shape | None = None) -> list[str]:
        """Layers before, and inputs, that give this shape."""
        network = self.network
        assert network is not None
        sources = [layer.name for layer in network.layers if not layer.apart]
        return [name for name in (*network.inputs, *sources) if shape is None or network.shape_of(name) == shape]

    def join(self, shape: Shape) -> Any:
        """Several earlier steps, the last one among them."""
        assert self.network is not None
        here = self.network.outputs[0]
        kinds = [name for name, kind in self.operators.items() if kind.most_inputs != 1]
        kind = self.operators[self.pick(kinds)]
        most = kind.most_inputs or 3
        names = [here]
        same = self.earlier(shape)
        for _ in range(self.number(max(kind.least_inputs, 2), max(most, 2)) - 1):
            names.append(self.pick(self.earlier() if self.chance(4) else same or [here]))
        made = self.application([self.network.shape_of(name) for name in names], [kind.kind], keep=False)
        return {**made[0], "from": names} if made else None

    def again(self, shape: Shape) -> Any:
        """An earlier step with the same weights."""
        assert self.network is not None
        weighty = [layer.name for layer in self.network.layers if layer.op.weights() and not layer.apart]
        if not weighty:
            return None
        fitting = [name for name in weighty if self.network[name].op.x == shape]
        return {"share": self.pick(fitting or weighty), "name": self.name("again")}

    def loop(self, shape: Shape) -> Any:
        steps, _ = self.some(shape, 2, keep=True)
        if not steps:
            return None
        form = self.number(0, 3)
        if form == 0:
            return {**{key: value for key, value in steps[0].items() if key != "name"}, "repeat": self.number(0, 3)}
        if form == 1:
            return {**steps[0], "name": self.name("l"), "repeat": 3, "when": "i != 1"}
        if form == 2:
            unnamed = [{key: value for key, value in step.items() if key != "name"} for step in steps]
            values = [self.number(1, 4) for _ in range(self.number(1, 3))]
            return {"for": {"v": values}, "name": self.name("stage"), "layers": unnamed}
        made = self.application([shape], ["linear"] if len(shape) == 1 else ["conv", "linear"], keep=False)
        if made is None:
            return None
        head = next(iter(made[0]))
        if made[0][head] is None:
            return None
        widths = [self.pick((2, 4, 6)) for _ in range(self.number(1, 2))]
        return {**made[0], head: "w", "for": {"w": widths}, "name": self.name("f") + "_{w}_{i if false else w}"}

    def block(self, shape: Shape) -> Any:
        """A block, with some of its numbers as parameters; or one that is there already."""
        if self.blocks and self.chance(3):
            return {self.pick(self.blocks): None, "name": self.name("k")}
        steps, _ = self.some(shape, 3, keep=self.chance(2))
        params: dict[str, Any] = {}
        for step in steps:
            for key, value in step.items():
                if type(value) is int and self.chance(2):
                    parameter = f"p{len(params)}"
                    params[parameter] = value
                    step[key] = parameter if self.chance(2) else f"2 * {parameter} - {parameter}"
        if not steps:
            return None
        name = self.name("block")
        given = {key: value for key, value in params.items() if self.chance(2)}
        layers: list[Any] = steps
        if self.chance(3):
            layers = [{"add": [steps, []]}]
        self.blocks[name] = {
            "params": {key: "required" if key in given else value for key, value in params.items()} | {"c": "input[0]"},
            "layers": layers,
        }
        use: Step = {"use": name, **given} if self.chance(3) else {name: None, **given}
        return use | ({"repeat": 2} if self.chance(3) else {"name": self.name("k")})

    def picked(self, shape: Shape) -> Any:
        """An operator by the value of an expression."""
        free = [
            name for name in self.single() if not any(one.required for one in self.operators[name].arguments.values())
        ]
        one, other = self.pick(free), self.pick(free)
        if self.chance(2):
            self.params["act"] = one
            return {"use": "act"}
        return {"use": f"{one} if input[0] > {self.number(0, 8)} else {other}"}

    # -- the spec

    def text(self, steps: list[Any] | None = None) -> str:
        """The spec so far, or the same with other steps."""
        tree = dict(self.head)
        for key, value in (("params", self.params), ("blocks", self.blocks)):
            if value:
                tree[key] = value
        return str(
            yaml.dump(
                {**tree, "layers": self.steps if steps is None else steps}, Dumper=Plain, sort_keys=False, width=100
            )
        )

    def begin(self) -> None:
        """The input, and a first step: any operator, at one of its own examples or at a random shape."""
        kind = self.operators[self.pick(self.operators)]
        shapes = list(self.pick(kind.examples).inputs)
        if self.chance(3) and not kind.takes_indices:
            rank = self.number(0, 3)
            shapes = [(self.number(1, 8), *(self.number(1, (40, 14, 7)[rank - 1]) for _ in range(rank)))]
        shapes = [
            tuple(min(size, most) for size, most in zip(shape, (24, 30, 30, 30), strict=False)) for shape in shapes
        ]
        if self.chance(3) and not kind.takes_indices:
            self.params["p"] = self.number(1, 8)
        if len(shapes) == 1:
            self.head["input"] = list(shapes[0])
            first: Any = "relu"
            if kind.takes_indices:
                first = self.step(kind, {"features": self.number(1, 8), "entries": self.number(1, 9)})
            elif len(kind.examples[0].inputs) == 1:
                made = self.application(shapes, [kind.kind], keep=False)
                first = made[0] if made else "relu"
            self.steps = [first]
        else:
            self.head["inputs"] = {f"x{number}": list(shape) for number, shape in enumerate(shapes)}
            made = self.application(shapes, [kind.kind], keep=False)
            first = made[0] if made else {"concat": None}
            self.steps = [{**first, "from": [f"x{number}" for number in range(len(shapes))]}]

    def attempt(self) -> bool:
        """Whether archcalc takes the spec as it is, and it is small."""
        try:
            network = archcalc.loads(self.text())
        except SpecError:
            return False
        if not all(is_small(layer.op) for layer in network.layers) or network.outputs[0] in network.inputs:
            return False
        self.network = network
        return True

    def write(self, only: Sequence[Form] = ()) -> str:
        """A spec; of steps of some forms only, if they are given."""
        self.begin()
        if not self.attempt():
            self.steps = ["identity"]
            assume(self.attempt())
        self.meant = list(self.steps)
        kinds = [self.plain_step] * 4 + [self.branches] * 3 + [self.block] * 2 + [self.loop] * 2
        kinds += [self.group, self.side, self.join, self.again, self.picked]
        kinds += [partial(form, self) for form in FORMS]
        if only:
            kinds = [partial(form, self) for form in only]
        for _ in range(self.number(1, 7)):
            assert self.network is not None
            shape = self.network.shape_of(self.network.outputs[0])
            before = dict(self.params), dict(self.blocks)
            step = self.pick(kinds)(shape)
            if step is None:
                continue
            said, meant = step if isinstance(step, Said) else (step, step)
            self.steps.append(said)
            self.meant.append(meant)
            if not self.attempt():
                self.steps.pop()
                self.meant.pop()
                self.params, self.blocks = before
        return self.text()


class Plain(yaml.SafeDumper):
    """Writes every list out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def plain(value: Any) -> Any:
    """A drawn value as the operator gets it: texts that are numbers are numbers."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return archcalc.spec.expression.parse_expression(value).evaluate({}) if value in NUMBERS else value


@st.composite
def specs(draw: Draw) -> str:
    """YAML of a valid spec."""
    return Author(draw).write()


@st.composite
def meanings(draw: Draw) -> tuple[str, str]:
    """A valid spec of words of control, and the same written out."""
    author = Author(draw)
    return author.write(FORMS), author.text(author.meant)


@st.composite
def replacements(draw: Draw) -> tuple[str, str, str]:
    """A spec, one that replaces a step of it, and the same as one spec with the other step in its place."""
    author = Author(draw)
    author.write()
    assert author.network is not None
    shape = author.network.shape_of(author.network.outputs[0])
    last = author.earlier(shape)[-1]
    swaps = [author.application([shape], author.single(), keep=True) for _ in range(2)]
    assume(all(swaps))
    [old, new] = [swap[0] for swap in swaps if swap is not None]
    control = (
        {"repeat": author.number(0, 3)},
        {"when": "false"},
        {"from": last},
        {"for": {"k": [5, 6]}, "when": "k > 5"},
    )
    new |= {key: value for one in control if author.chance(2) for key, value in one.items()}
    base = author.text([*author.steps, {**old, "name": "swapped"}, "identity"])
    meant = author.text([*author.steps, {**new, "name": "swapped"}, "identity"])
    extending = {"name": "fuzz", "extends": "base.yaml", "replace": {"swapped": new}}
    return base, str(yaml.dump(extending, Dumper=Plain, sort_keys=False)), meant
