"""Broken ONNX files: small models with bytes, or parts of their messages, changed.

Every file is to be a network or a `UserError`, within five seconds of CPU time and 1 GiB.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from archcalc.analysis import analyze
from archcalc.errors import UserError
from archcalc.imports.onnx_file import read_onnx
from tests.fuzz.hostile import TooSlow, most_memory

MOST_SECONDS = 5.0
MOST_MEMORY = 2**30
NUMBERS = (-1, 0, 1, 2, 3, -2, 7919, 7919 * 2, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, -(2**63), 10**5)
WORDS = ("", "x", "y", "w", "Conv", "If", "Loop", "Reshape", "\x1b[31m", "../x", "a" * 300, "ä\u202e", "/a/b/Conv")


def seeds(seed: int = 0) -> list[bytes]:
    """Models to break: two made by hand, and one of twelve of those of one node that ship with onnx."""
    from onnx.backend.test.case.node import collect_testcases

    models = [case.model.SerializeToString() for case in collect_testcases(None)]
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_squeezenet.onnx"
    own = [classifier().SerializeToString(), branching().SerializeToString()]
    return [*models[seed % 12 :: 12], *own * 20, light.read_bytes()]


def classifier() -> Any:
    """A small network whose reshape computes its sizes."""
    weights = {"w": [4, 3, 3, 3], "b": [4], "v": [64, 5]}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "/stage/conv/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "/stage/relu/Relu"),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["p"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one"], ["n"]),
        helper.make_node("Concat", ["n", "minus"], ["t"], axis=0),
        helper.make_node("Reshape", ["p", "t"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["m"]),
        helper.make_node("Softmax", ["m"], ["y"]),
    ]
    stored = [helper.make_tensor(name, 1, dims, bytes(4 * size(dims)), raw=True) for name, dims in weights.items()]
    stored += [helper.make_tensor(name, 7, [1], [value]) for name, value in (("zero", 0), ("one", 1), ("minus", -1))]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", 1, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", 1, ["batch", 5])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def branching() -> Any:
    """A network with a branch, a loop's body and a function."""
    inner = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["a"])], "then", [], [helper.make_tensor_value_info("a", 1, [1, 4])]
    )
    other = helper.make_graph(
        [helper.make_node("Sigmoid", ["x"], ["a"])], "else", [], [helper.make_tensor_value_info("a", 1, [1, 4])]
    )
    twice = helper.make_function(
        "local", "twice", ["p"], ["q"], [helper.make_node("Add", ["p", "p"], ["q"])], [helper.make_opsetid("", 18)]
    )
    graph = helper.make_graph(
        [
            helper.make_node("If", ["yes"], ["i"], then_branch=inner, else_branch=other),
            helper.make_node("twice", ["i"], ["d"], domain="local"),
            helper.make_node("Einsum", ["d", "d"], ["y"], equation="bi,bj->bij"),
        ],
        "branching",
        [helper.make_tensor_value_info("x", 1, [1, 4])],
        [helper.make_tensor_value_info("y", 1, [1, 4, 4])],
        [helper.make_tensor("yes", TensorProto.BOOL, [], [True])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=[twice])


def size(dims: list[int]) -> int:
    count = 1
    for dim in dims:
        count *= dim
    return count


def broken(count: int, seed: int) -> Iterator[bytes]:
    """So many files; the same for the same seed."""
    models = seeds(seed)
    for number in range(count):
        yield broken_one(random.Random(f"{seed}-{number}"), models)


def broken_one(rng: random.Random, models: list[bytes]) -> bytes:
    raw = rng.choice(models)
    if rng.random() < 0.7:
        model = onnx.ModelProto.FromString(raw)
        for _ in range(rng.choice((1, 1, 2, 3, 6))):
            rng.choice(CHANGES)(rng, model)
        raw = model.SerializeToString()
    if rng.random() < 0.4:
        raw = _bytes_changed(rng, raw, models)
    return raw


def _bytes_changed(rng: random.Random, raw: bytes, models: list[bytes]) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(changed) + 1)
        way = rng.random()
        if way < 0.6 and changed:
            changed[at % len(changed)] = rng.choice((rng.randrange(256), 0, 255, 127, 128))
        elif way < 0.75:
            del changed[at : at + rng.choice((1, 4, 100, 10**6))]
        elif way < 0.9:
            changed[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            other = rng.choice(models)
            changed[at:] = other[rng.randrange(len(other)) :]
    return bytes(changed)


def _node(rng: random.Random, model: Any) -> Any:
    return rng.choice(model.graph.node) if model.graph.node else model.graph.node.add()


def _change_number(rng: random.Random, model: Any) -> None:
    """A number or list of numbers among a node's attributes."""
    node = _node(rng, model)
    if not node.attribute:
        node.attribute.add(name=rng.choice(("axis", "perm", "pads", "group", "strides")), type=2, i=rng.choice(NUMBERS))
        return
    one = rng.choice(node.attribute)
    if one.ints:
        one.ints[rng.randrange(len(one.ints))] = rng.choice(NUMBERS)
        if rng.random() < 0.3:
            one.ints.append(rng.choice(NUMBERS))
        elif rng.random() < 0.3:
            del one.ints[0]
    else:
        one.i = rng.choice(NUMBERS)
        one.f = rng.choice((0.0, float("nan"), float("inf"), -1.0, 1e30))
    if rng.random() < 0.1:
        one.type = rng.randrange(0, 15)


def _change_sizes(rng: random.Random, model: Any) -> None:
    """Sizes of an input, an output or a stored tensor."""
    graph = model.graph
    if graph.initializer and rng.random() < 0.5:
        tensor = rng.choice(graph.initializer)
        if tensor.dims and rng.random() < 0.7:
            tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
        else:
            tensor.dims.append(rng.choice(NUMBERS))
        if rng.random() < 0.2:
            tensor.data_type = rng.randrange(0, 30)
        return
    values = [*graph.input, *graph.output, *graph.value_info]
    if values:
        shape = rng.choice(values).type.tensor_type.shape
        if shape.dim and rng.random() < 0.8:
            rng.choice(shape.dim).dim_value = rng.choice(NUMBERS)
        elif rng.random() < 0.5:
            shape.dim.add().dim_param = rng.choice(WORDS)
        else:
            shape.Clear()


def _change_data(rng: random.Random, model: Any) -> None:
    """The numbers of a stored tensor."""
    if model.graph.initializer:
        tensor = rng.choice(model.graph.initializer)
        if tensor.int64_data:
            tensor.int64_data[rng.randrange(len(tensor.int64_data))] = rng.choice(NUMBERS)
        elif rng.random() < 0.5:
            tensor.raw_data = rng.randbytes(rng.choice((0, 3, 8, 64)))
        else:
            tensor.data_location = 1
            entry = tensor.external_data.add(key="location", value=rng.choice(("w.bin", "../w", "/etc/passwd", "")))
            entry.value = entry.value or rng.choice(WORDS)


def _change_name(rng: random.Random, model: Any) -> None:
    """A name: of a tensor that a node takes or gives, of a node or of an operation."""
    node = _node(rng, model)
    names = [name for one in model.graph.node for name in (*one.input, *one.output)] + list(WORDS)
    if node.input and rng.random() < 0.5:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif node.output and rng.random() < 0.4:
        node.output[rng.randrange(len(node.output))] = rng.choice(names)
    elif rng.random() < 0.5:
        schemas = onnx.defs.get_all_schemas()
        node.op_type = rng.choice(schemas).name if rng.random() < 0.8 else rng.choice(WORDS)
    elif rng.random() < 0.5:
        node.name = rng.choice(WORDS)
    else:
        node.domain = rng.choice(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "local", "x"))


def _change_nodes(rng: random.Random, model: Any) -> None:
    """Nodes in another order, twice, or gone; inputs added or taken away."""
    nodes = model.graph.node
    if not nodes:
        return
    at = rng.randrange(len(nodes))
    way = rng.random()
    if way < 0.25:
        del nodes[at]
    elif way < 0.5:
        nodes.add().CopyFrom(nodes[at])
    elif way < 0.7:
        copy = type(nodes[at])()
        copy.CopyFrom(nodes[at])
        del nodes[at]
        nodes.insert(rng.randrange(len(nodes) + 1), copy)
    elif way < 0.85:
        nodes[at].input.append(rng.choice(WORDS))
    elif nodes[at].input:
        del nodes[at].input[-1]


def _nest(rng: random.Random, model: Any) -> None:
    """The graph inside branches of itself, up to deeply."""
    inner = type(model.graph)()
    inner.CopyFrom(model.graph)
    if inner.ByteSize() > 5000:
        return
    for _ in range(rng.choice((1, 2, 5))):
        node = helper.make_node("If", ["yes"], [output.name for output in inner.output])
        node.attribute.add(name="then_branch", type=5).g.CopyFrom(inner)
        node.attribute.add(name="else_branch", type=5).g.CopyFrom(inner)
        del inner.node[:]
        inner.node.add().CopyFrom(node)
        if inner.ByteSize() > 100_000:
            break
    model.graph.CopyFrom(inner)
    if rng.random() < 0.8 and not any(one.name == "yes" for one in model.graph.initializer):
        model.graph.initializer.add().CopyFrom(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))


def _change_model(rng: random.Random, model: Any) -> None:
    """Versions, functions that call themselves, and what is left out."""
    way = rng.random()
    if way < 0.3 and model.opset_import:
        model.opset_import[0].version = rng.choice((0, 1, 5, 7, 9, 11, 13, 18, 25, 99, -1))
    elif way < 0.6 and model.functions:
        function = rng.choice(model.functions)
        for _ in range(rng.choice((1, 3))):
            function.node.add().CopyFrom(helper.make_node(function.name, ["q"], ["q2"], domain="local"))
    elif way < 0.8 and model.graph.input:
        del model.graph.input[rng.randrange(len(model.graph.input))]
    elif model.graph.output:
        del model.graph.output[rng.randrange(len(model.graph.output))]


CHANGES = (
    *(_change_number, _change_sizes, _change_sizes, _change_data, _change_name, _change_name),
    *(_change_nodes, _nest, _change_model),
)


class Watch:
    """Reads files, and measures what they take."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.onnx"
        self.networks = self.refused = 0
        self.slowest = 0.0
        self.most_memory = 0

    def complaint(self, raw: bytes) -> str:
        """What is wrong with how a file was taken; empty if nothing is."""
        self.path.write_bytes(raw)
        signal.signal(signal.SIGVTALRM, _stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * MOST_SECONDS)
        start = time.process_time()
        complaint = ""
        try:
            network = read_onnx(self.path)
            analyze(network)
            self.networks += 1
            complaint = wrong(network)
        except UserError as error:
            self.refused += 1
            report = error.report()
            if any(not one.isprintable() and one != "\n" for one in report):
                complaint = f"a message has characters that steer a terminal: {report!r}"
        except TooSlow:
            complaint = "it hangs"
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        seconds = time.process_time() - start
        self.slowest = max(self.slowest, seconds)
        self.most_memory = most_memory()
        if not complaint and seconds > MOST_SECONDS:
            complaint = f"it takes {seconds:.2f} s"
        if not complaint and self.most_memory > MOST_MEMORY:
            complaint = f"it takes {self.most_memory / 2**20:.0f} MiB"
        return complaint


def wrong(network: Any) -> str:
    """What no network may have: two layers of one name, a size or a count below 0, a layer without what it takes."""
    known = dict(network.inputs)
    for layer in network:
        if layer.name in known:
            return f"two layers have the name {layer.name}"
        if any(source not in known for source in layer.inputs):
            return f"{layer.name} takes what nothing gives"
        if list(layer.op.inputs) != [known[source] for source in layer.inputs]:
            return f"{layer.name} takes shapes that its inputs do not have"
        known[layer.name] = layer.output_shape
        if any(size <= 0 for size in layer.output_shape):
            return f"{layer.name} has the shape {layer.output_shape}"
        if any(count < 0 for count in layer.op.work().values()):
            return f"{layer.name} has work below 0"
        if not all(part and part.replace("_", "a").isalnum() for part in layer.name.split(".")):
            return f"{layer.name!r} is not a legal name"
    return ""


def _stop(signum: int, frame: object) -> None:
    raise TooSlow
