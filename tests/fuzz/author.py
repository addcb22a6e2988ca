"""The author of random valid specs.

Operators come from the registry, and their arguments from their own declarations: a new operator is fuzzed by
existing. A spec grows step by step; a step that archcalc refuses is left out again, so what remains is valid, and
refusing with anything but a `SpecError` fails at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import yaml
from hypothesis import assume
from hypothesis import strategies as st

import archcalc
from archcalc import SpecError
from archcalc.arithmetic import Shape, product
from archcalc.network import Layer, Network
from archcalc.ops.naming import LETTERS
from archcalc.ops.operator import Operator
from tests.fuzz.applying import at_example, filtered
from tests.fuzz.control import FORMS, Form, Said
from tests.fuzz.drawing import Draw, Drawing, Step, is_small


class Author(Drawing):
    """Writes one spec."""

    def __init__(self, draw: Draw) -> None:
        super().__init__(draw)
        self.head: dict[str, Any] = {"name": "fuzz"}
        self.params: dict[str, Any] = {}
        self.blocks: dict[str, Any] = {}
        self.steps: list[Any] = []
        self.meant: list[Any] = []
        """The same network without words of control: loops are written out, and what is left out is not there."""
        self.network: Network | None = None

    # -- steps; each gives a step for a flow of that shape, or None

    def single(self) -> list[str]:
        """Operators that take one input of numbers, and give numbers."""
        return [
            name
            for name, kind in self.operators.items()
            if kind.least_inputs <= 1 and not kind.joins and not (kind.takes_indices or kind.gives_indices)
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
        if self.chance(12):
            step["trainable"] = False
        if self.chance(24):
            step["dtype"] = self.pick(("int8", "bfloat16"))
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
        step: Step = {"name": self.name("g"), "layers": steps} if self.chance(3) else {self.name("g"): steps}
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
        sources = [layer.name for layer in network.layers if not layer.auxiliary]
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
        weighty = [layer.name for layer in self.network.layers if layer.op.weights() and not layer.auxiliary]
        if not weighty:
            return None
        fitting = [name for name in weighty if self.network[name].op.x == shape]
        return {"share": self.pick(fitting or weighty), "name": self.name("again")}

    def tied(self, shape: Shape) -> Any:
        """An operator with a weight of an earlier one, which has room for its input; a new owner if there is none."""
        assert self.network is not None
        if not shape:
            return None
        found: list[Step] = []
        for layer in self.network.layers:
            if layer.auxiliary:
                continue
            sizes = {*layer.op.weights().values()}
            found += [{"linear": one[0], "weight": layer.name} for one in sizes if one[1:] == shape[-1:]]
            found += [{"layer_norm": None, "weight": layer.name} for one in sizes if one == shape[-1:]]
        if not found:
            return {"linear": shape[-1]}
        step: Step = self.pick(found)
        return {**step, "bias": self.draw(st.booleans())}

    def gate(self, shape: Shape) -> Any:
        """A factor for every element or channel, from weights or without them; or an earlier tensor of any shape."""
        if self.chance(3):
            assert self.network is not None
            return {"mul": None, "from": [self.network.outputs[0], self.pick(self.earlier())][:: self.pick((1, -1))]}
        factor: list[Any] = []
        if len(shape) > 1 and self.chance(2):
            factor.append({"mean": list(range(1, len(shape))), "keep_dims": True})
        if shape and self.chance(2):
            factor.append({"conv": shape[0], "kernel": 1} if 2 <= len(shape) <= 4 else {"linear": shape[-1]})
        factor.append(self.pick(("sigmoid", "relu", "hardsigmoid", {"softmax": 0})))
        return {"mul": [[], factor][:: self.pick((1, -1))]}

    def moved(self, shape: Shape) -> Any:
        """Axes moved, cut or seen otherwise, then what cares how its input lies in memory."""
        steps = []
        for kinds in (["permute", "slice", "chunk"], ["permute", "slice", "relu", "reshape"], self.LAYOUT):
            made = self.application([shape], kinds, keep=False)
            if made is not None:
                steps.append(self.marked(made[0]))
                shape = made[1].output
        return steps or None

    LAYOUT = (
        *("linear", "conv", "reshape", "flatten", "layer_norm", "group_norm", "batch_norm", "max_pool", "softmax"),
        *("multi_head_attention", "window_attention", "local_response_norm", "channel_shuffle", "upsample", "mean"),
    )

    def attend(self, shape: Shape) -> Any:
        """Attention to itself or to earlier rows, as keys and values that are one tensor or two."""
        if len(shape) != 2:
            return None
        assert self.network is not None
        here = self.network.outputs[0]
        rows = [name for name in self.earlier() if len(self.network.shape_of(name)) == 2]
        fitting = [name for name in rows if self.network.shape_of(name)[1] == shape[1]]
        keys = self.pick(fitting)
        values = self.pick([name for name in fitting if self.network.shape_of(name) == self.network.shape_of(keys)])
        names = [here, keys, keys] if self.chance(2) else [here, keys, values]
        heads = self.pick([n for n in range(1, shape[1] + 1) if shape[1] % n == 0])
        step: Step = {"multi_head_attention": heads, "bias": self.draw(st.booleans())}
        return step if self.chance(4) else {**step, "from": names}

    def heads(self, shape: Shape) -> Any:
        """The fused or unfused attention of a tensor with two to four axes to itself, or to it in another order."""
        sizes = [1] * self.number(0, 3) + [product(shape)]
        for at in range(len(sizes) - 1):
            sizes[at] = self.pick([n for n in range(1, 9) if sizes[-1] % n == 0])
            sizes[-1] //= sizes[at]
        rows, turned = self.name("rows"), self.name("turned")
        steps: list[Any] = [{"reshape": sizes, "name": rows}]
        names = [rows, rows, rows]
        if len(sizes) > 1 and self.chance(2):
            order = list(self.draw(st.permutations(range(len(sizes)))))
            steps.append({"permute": order, "name": turned})
            back = [order.index(axis) for axis in range(len(sizes))]
            steps.append({"permute": back, "name": f"{turned}_back"})
            names = [self.pick((rows, f"{turned}_back", turned)) for _ in range(3)]
        if self.chance(2):
            steps.append({self.pick(("relu", "linear")): None, "from": names[2], "name": f"{rows}_v"})
            if "linear" in steps[-1]:
                steps[-1]["linear"] = self.number(1, 6)
            names[2] = f"{rows}_v"
        return [*steps, {"scaled_dot_product_attention": None, "from": names}]

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

    def begin(self, first: str | None) -> None:
        """The input, and a first step: an operator, any if none is given, with its inputs and arguments at random.

        As one of its examples has them, if they do not fit.
        """
        kind = self.operators[first or self.pick(self.operators)]
        self.begin_at_random(kind)
        if not self.attempt() or (first and kind.kind not in {layer.op.kind for layer in self.applied()}):
            step, shapes = self.exemplary(kind)
            self.head, self.params = {"name": "fuzz"}, {}
            self.head["inputs"] = {f"x{number}": list(shape) for number, shape in enumerate(shapes)}
            self.steps = [{**step, "from": list(self.head["inputs"])}]
            assume(self.attempt())

    def applied(self) -> Sequence[Layer]:
        """The layers so far."""
        return self.network.layers if self.network else ()

    def begin_at_random(self, kind: type[Operator]) -> None:
        """The input, and the operator if it fits; the input is like an example's, or of any shape."""
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
            others = [self.another(shapes[0]) for _ in range(self.number(1, 2))] if self.chance(3) else []
            if others and not kind.takes_indices:
                self.head["inputs"] = {f"x{number}": list(shape) for number, shape in enumerate([shapes[0], *others])}
                self.steps = [{"identity": None, "from": "x0"}]
                return
            self.head["input"] = self.declared(shapes[0])
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

    def declared(self, shape: Shape) -> list[int] | dict[str, int]:
        """A shape as an input has it: a list, or with names for its axes."""
        if not shape or self.chance(2):
            return list(shape)
        names = list(LETTERS)
        return {names.pop(self.number(0, len(names) - 1)): size for size in shape}

    def another(self, shape: Shape) -> Shape:
        """A shape that can meet that one: the same, one that is repeated along its axes, or other rows of its width."""
        form = self.number(0, 2)
        if form == 0 or not shape:
            return shape
        if form == 1:
            return (shape[0], *(1,) * (len(shape) - 1))
        return (*shape[:-2], self.number(1, 9), shape[-1]) if len(shape) > 1 else shape

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

    def write(self, only: Sequence[Form] = (), first: str | None = None) -> str:
        """A spec; of steps of some forms only, if they are given, or with an operator that it begins with."""
        self.begin(first)
        self.meant = list(self.steps)
        kinds = [self.plain_step] * 4 + [self.branches] * 3 + [self.block] * 2 + [self.loop] * 2
        kinds += [self.group, self.side, self.join, self.again, self.picked]
        kinds += [self.tied, self.gate, self.moved, self.attend, self.heads]
        kinds += [partial(form, self) for form in (*FORMS, filtered, at_example, at_example)]
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
            added = said if isinstance(said, list) else [said]
            self.steps.extend(added)
            self.meant.extend(meant if isinstance(meant, list) else [meant])
            if not self.attempt():
                del self.steps[-len(added) :]
                del self.meant[-len(meant) if isinstance(meant, list) else -1 :]
                self.params, self.blocks = before
        return self.text()

    def finish(self) -> str:
        """The spec, with more said of the whole network: several outputs, steps named by position, other names."""
        assert self.network is not None
        names = [layer.name for layer in self.network.layers if not layer.auxiliary]
        said = {
            "outputs": [self.network.outputs[0], self.pick(names)],
            "rename": {self.pick(names): "other.name"},
            "numbered": True,
        }
        for key, value in said.items():
            if self.chance(6):
                self.head[key] = value
                if not self.attempt():
                    del self.head[key]
        return self.text()


class Plain(yaml.SafeDumper):
    """Writes every list out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
