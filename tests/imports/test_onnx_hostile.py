"""ONNX files that are broken, or made to harm, are refused in words that name the node.

`python -m tests.fuzz --onnx 10000` tries many more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise

import numpy
import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.imports import onnx_model, onnx_nodes
from archcalc.imports.onnx_file import read_onnx
from archcalc.imports.onnx_model import LONG, read_model

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def model(nodes, stored=(), inputs=None, outputs=("y",), functions=(), opset=18):
    inputs = {"x": [1, 4]} if inputs is None else inputs
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, 1, sizes) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info(name, 1, None) for name in outputs],
        list(stored),
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


def stored(name, *sizes):
    return onnx.TensorProto(name=name, data_type=1, dims=sizes)


def refusal(one, tmp_path) -> str:
    path = tmp_path / "bad.onnx"
    path.write_bytes(one if isinstance(one, bytes) else one.SerializeToString())
    with pytest.raises(UserError) as refused:
        read_onnx(path)
    assert "bad.onnx" in str(refused.value)
    return str(refused.value)


node = helper.make_node


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (b"", "is empty"),
        (b"hello", "is not an ONNX file"),
        (b"\x08" + b"\xff" * 30, "number"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "has no graph"),
        (model([node("Relu", ["nothing"], ["y"], "act")]), "the node 'act' (Relu) takes 'nothing'"),
        (
            model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], outputs=["b"]),
            "takes 'b', which no node",
        ),
        (model([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"], "again")]), "gives 'y', a name that another"),
        (model([node("Relu", ["x"], ["z"])]), "no node gives the output 'y'"),
        (model([node("Relu", ["x", "x"], ["y"], "act")]), "the node 'act' (Relu) has 2 inputs"),
        (model([node("Concat", ["x", "x"], ["y"], "cat", axis="wide")]), "attribute 'axis' of a wrong type"),
        (model([node("MatMul", ["x", "w"], ["y"])], [stored("w", 4, -1)]), "has the size -1"),
        (model([node("MatMul", ["x", "w"], ["y"])], [stored("w", 4, 2**60)]), "too large"),
        (model([node("MatMul", ["x", "w"], ["y"])], [stored("w", 4, 5)] * 2), "two stored tensors have the name 'w'"),
        (model([node("Relu", ["x"], ["y"])], inputs={}), "the network has no inputs"),
        (model([node("Relu", ["x"], ["y"])], inputs={"x": [1, 0]}), "axis 1 of the input 'x' has the size 0"),
        (model([node("Relu", ["x"], ["y"])], inputs={"x": [1, -1]}), "is not fixed"),
        (model([node("Relu", ["x"], ["y"])], inputs={"x": [1, 2**60]}), "too large"),
    ],
)
def test_refused(one, words, tmp_path):
    assert words in refusal(one, tmp_path)


def test_missing_and_folders(tmp_path):
    for path in (tmp_path / "no.onnx", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_onnx(path)


def test_a_name_that_is_not_text(tmp_path):
    raw = model([node("Relu", ["x"], ["y"], "NAME")]).SerializeToString()
    assert "not UTF-8" in refusal(raw.replace(b"NAME", b"\xff\xfe\xfd\xfc"), tmp_path)


def test_no_message_steers_a_terminal(tmp_path):
    message = refusal(model([node("Relu", ["\x1b[31m"], ["y"], "\x1b[2J\u202e")]), tmp_path)
    path = tmp_path / "bad.onnx"
    with pytest.raises(UserError) as refused:
        read_onnx(path)
    assert message
    assert refused.value.report().replace("\n", "").isprintable()


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "..\\secret", "a/../../secret", "link", "C:secret"])
def test_external_data_stays_in_the_folder(location, tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    (folder / "link").symlink_to(tmp_path / "secret")
    tensor = onnx.TensorProto(name="w", data_type=7, dims=[2], data_location=1)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    one = model([node("Reshape", ["x", "w"], ["y"])], [tensor])
    assert "the folder" in refusal(one, folder)


def test_external_data_is_read_if_it_is_short(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"\0" * 8 + numpy.array([2, 2], "i8").tobytes())
    tensor = onnx.TensorProto(name="w", data_type=7, dims=[2], data_location=1)
    for key, value in (("location", "data.bin"), ("offset", "8"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    large = onnx.TensorProto(name="v", data_type=1, dims=[2, 10**6], data_location=1)
    large.external_data.add(key="location", value="gone.bin")
    nodes = [node("Reshape", ["x", "w"], ["r"]), node("MatMul", ["r", "v"], ["y"])]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, [tensor, large], inputs={"x": [4]}).SerializeToString())
    network = read_onnx(path)
    assert network.layers[-1].output_shape == (2, 10**6)


def test_weights_are_not_read(tmp_path):
    """Long data is cut out before the message is parsed; the shapes stay."""
    weight = onnx.numpy_helper.from_array(numpy.ones((1000, 1000), "f4"), "w")
    constant = node("Constant", [], ["v"], value=onnx.numpy_helper.from_array(numpy.ones((1000, 50), "f4"), ""))
    nodes = [constant, node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "v"], ["y"])]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, [weight], inputs={"x": [1, 1000]}).SerializeToString())
    read = read_model(path)
    assert len(read.graph.initializer[0].raw_data) == 0
    assert read.ByteSize() < LONG
    counted = archcalc.analyze(read_onnx(path)).totals
    assert (counted.params, counted.macs) == (1_050_000, 1_050_000)


def test_a_small_file_of_many_parts(tmp_path, monkeypatch):
    """Messages of two bytes take much more memory when they are parsed: too many are not."""
    monkeypatch.setattr(onnx_model, "MAX_PARTS", 200_000)
    monkeypatch.setattr(onnx_model, "SMALL", 2**18)
    graph = onnx.GraphProto()
    for _ in range(1_000):
        graph.node.add()
    attribute = onnx.AttributeProto(name="g", type=5, g=graph)
    inner = onnx.NodeProto(op_type="If", attribute=[attribute])
    one = model([node("Relu", ["x"], ["y"])])
    one.graph.node.extend([inner] * 250)
    assert one.ByteSize() < 2**20
    assert "more than 200,000 parts" in refusal(one, tmp_path)


def test_functions_that_call_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_nodes, "MOST_NODES", 10_000)
    own = [helper.make_opsetid("own", 1)]
    endless = helper.make_function("own", "f", ["p"], ["q"], [node("f", ["p"], ["q"], domain="own")], own)
    one = model([node("f", ["x"], ["y"], domain="own")], functions=[endless])
    assert "nested more than" in refusal(one, tmp_path)
    doubled = []
    for level in range(20):
        inner = f"f{level + 1}" if level < 19 else "Relu"
        domain = "own" if level < 19 else ""
        calls = [node(inner, ["p"], ["a"], domain=domain), node(inner, ["a"], ["q"], domain=domain)]
        doubled.append(
            helper.make_function("own", f"f{level}", ["p"], ["q"], calls, [*own, helper.make_opsetid("", 18)])
        )
    one = model([node("f0", ["x"], ["y"], domain="own")], functions=doubled)
    assert "more than 10,000 nodes" in refusal(one, tmp_path)


def test_sizes_that_would_take_all_memory(tmp_path):
    """Sizes that a file computes are folded only while they are short."""
    nodes = [
        node("Constant", [], ["n"], value=helper.make_tensor("", 7, [1], [10**12])),
        node("ConstantOfShape", ["n"], ["c"]),
        node("Constant", [], ["zero"], value_int=0),
        node("Constant", [], ["one"], value_int=1),
        node("Constant", [], ["end"], value_int=2**62),
        node("Range", ["zero", "end", "one"], ["r"]),
        node("Add", ["x", "c"], ["y"]),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, inputs={"x": [1]}).SerializeToString())
    with pytest.raises(UserError, match="too large"):
        read_onnx(path)
    nodes[0] = node("Constant", [], ["n"], value=helper.make_tensor("", 7, [1], [-5]))
    path.write_bytes(model(nodes, inputs={"x": [1]}).SerializeToString())
    with pytest.raises(UserError, match=r"has the size -5|too large"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("operation", "outputs", "attributes"),
    [
        ("Split", ["y", "z"], {"num_outputs": 1, "axis": 1}),
        ("Transpose", ["y"], {"perm": [0, 5, -7]}),
        ("MaxPool", ["y"], {"kernel_shape": [2, 2, 2, 2], "strides": [0], "pads": [2**40]}),
        ("AveragePool", ["y"], {"kernel_shape": [3]}),
        ("Softmax", ["y"], {"axis": 2**50}),
        ("SpaceToDepth", ["y"], {"blocksize": 0}),
        ("ReduceMean", ["y"], {"axes": [99, -99]}),
    ],
)
def test_attributes_that_do_not_fit(operation, outputs, attributes, tmp_path):
    """They are not given to onnx's inference, which ends the process for the first: the layer is opaque."""
    path = tmp_path / "net.onnx"
    one = model([node(operation, ["x"], outputs, **attributes)], opset=18 if operation == "Split" else 13)
    path.write_bytes(one.SerializeToString())
    assert read_onnx(path).layers[0].op.exactness == "opaque"


def test_time_grows_with_the_nodes(tmp_path):
    """8,000 nodes take no longer per node than a few."""

    def seconds(count):
        names = ["x", *(f"t{at}" for at in range(count - 1)), "y"]
        nodes = [node("Relu", [one], [other]) for one, other in pairwise(names)]
        path = tmp_path / "net.onnx"
        path.write_bytes(model(nodes).SerializeToString())
        start = time.process_time()
        assert len(read_onnx(path)) == count
        return time.process_time() - start

    seconds(100)
    assert seconds(8_000) < 12 * seconds(1_000) + 1


def test_broken_files():
    """In a process of its own, so that a crash of onnx is seen."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--onnx", "120"], capture_output=True, text=True, cwd=os.getcwd()
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "120 ONNX files" in run.stdout
