"""Shapes of ONNX files: those of onnx's own tests of its operators, and what onnxruntime computes on the way."""

from __future__ import annotations

import math
from collections import Counter

import numpy
import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.imports.onnx_file import read_onnx
from tests.fuzz.onnx_files import wrong

onnx = pytest.importorskip("onnx")
helper = onnx.helper

REFUSED = ("has the size 0", "is not a tensor", "has no inputs")


def mark(network: archcalc.Network) -> str:
    marks = {layer.op.exactness for layer in network}
    return next((one for one in ("opaque", "generic") if one in marks), "exact")


def test_operators_of_onnx(tmp_path):
    """The models of one operator that onnx tests itself with: each is a network or refused in words."""
    from onnx.backend.test.case.node import collect_testcases

    found: Counter[str] = Counter()
    other, unexpected, faults = [], [], []
    path = tmp_path / "model.onnx"
    for case in collect_testcases(None):
        path.write_bytes(case.model.SerializeToString())
        try:
            network = read_onnx(path)
        except UserError as error:
            found["refused"] += 1
            unexpected += [str(error)] * (not any(words in str(error) for words in REFUSED))
            continue
        archcalc.analyze(network).to_dict()
        faults += [(case.name, wrong(network))] * bool(wrong(network))
        found[mark(network)] += 1
        outputs = case.data_sets[0][1]
        if mark(network) != "opaque" and len(network.outputs) == len(outputs):
            for name, output in zip(network.outputs, outputs, strict=True):
                if isinstance(output, numpy.ndarray):
                    other += [case.name] * (not same_shape(network[name].output_shape, output.shape))
    assert other == faults == []
    assert unexpected == []
    assert found["exact"] > 350
    assert found["opaque"] < 250
    assert found["refused"] < 250
    assert sum(found.values()) > 1500


def same_shape(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether a shape per sample is that of the whole, without the batch where there is one."""
    without = [whole[:axis] + whole[axis + 1 :] for axis in range(len(whole))]
    folded = bool(whole) and math.prod(shape) * whole[0] == math.prod(whole)
    return shape in (whole, *without) or (math.prod(whole) == 1 and shape == (1,)) or folded


def model(nodes, inputs, outputs, stored=(), opset=18):
    """A model; inputs and outputs are names to sizes."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, 1, sizes) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info(name, 1, sizes) for name, sizes in outputs.items()],
        list(stored),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def floats(name, *sizes):
    return onnx.numpy_helper.from_array(numpy.ones(sizes, "f4"), name)


def integers(name, *values):
    return onnx.numpy_helper.from_array(numpy.array(values, "i8"), name)


def saved(one, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(one.SerializeToString())
    return path


def image_model():
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
        helper.make_node("Conv", ["padded", "w", "b"], ["conv"], strides=[2, 2]),
        helper.make_node("PRelu", ["conv", "slope"], ["prelu"]),
        helper.make_node("MaxPool", ["prelu"], ["pooled"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node(
            "Resize",
            ["pooled", "", "scales"],
            ["large"],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("Split", ["large", "parts"], ["left", "right"], axis=1),
        helper.make_node("Concat", ["right", "left"], ["joined"], axis=1),
        helper.make_node("Slice", ["joined", "starts", "ends", "axes"], ["cut"]),
        helper.make_node("Clip", ["cut", "zero", "six"], ["clipped"]),
        helper.make_node("ReduceMean", ["clipped"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Gemm", ["mean", "v", "c"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["y"], axis=-1),
    ]
    stored = [
        integers("pads", 0, 0, 1, 1, 0, 0, 2, 2), floats("w", 6, 3, 3, 3), floats("b", 6), floats("slope", 6, 1, 1),
        onnx.numpy_helper.from_array(numpy.array([1, 1, 2, 2], "f4"), "scales"), integers("parts", 2, 4),
        integers("starts", 1, 0), integers("ends", 2**60, -1), integers("axes", 2, 3),
        onnx.numpy_helper.from_array(numpy.float32(0), "zero"), onnx.numpy_helper.from_array(numpy.float32(6), "six"),
        floats("v", 5, 6), floats("c", 5),
    ]  # fmt: skip
    return model(nodes, {"x": [1, 3, 17, 20]}, {"y": [1, 5]}, stored, opset=17)


INSIDE_ATTENTION = ("turned", "scores", "scaled", "masked", "weights")
"""Tensors of `tokens_model` that have no layer of their own."""


def tokens_model():
    """Sizes that a shape computes, heads, a mask that is the same for all samples, and a product without weights."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "front"], ["batch1"]),
        helper.make_node("Concat", ["batch1", "rest"], ["target"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Add", ["bias", "product"], ["biased"]),
        helper.make_node("Reshape", ["biased", "target"], ["split"]),
        helper.make_node("Transpose", ["split"], ["heads"], perm=[0, 2, 1, 3]),
        helper.make_node("Transpose", ["heads"], ["turned"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["heads", "turned"], ["scores"]),
        helper.make_node("Mul", ["scores", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["weights"]),
        helper.make_node("MatMul", ["weights", "heads"], ["mixed"]),
        helper.make_node("Expand", ["token", "shape1"], ["tokens"]),
        helper.make_node("Concat", ["tokens", "x"], ["y"], axis=1),
    ]
    stored = [
        integers("first", 0), integers("front", 0), integers("rest", 7, 3, 4), floats("w", 12, 12), floats("bias", 12),
        onnx.numpy_helper.from_array(numpy.float32(0.5), "scale"), floats("mask", 7, 7), floats("token", 1, 1, 12),
        integers("shape1", 1, 1, 12),
    ]  # fmt: skip
    nodes[1].input[1] = "scalar"
    stored[0] = onnx.numpy_helper.from_array(numpy.array(0, "i8"), "scalar")
    return model(nodes, {"x": [1, 7, 12]}, {"y": [1, 8, 12], "mixed": [1, 3, 7, 4]}, stored)


@pytest.mark.parametrize("make", [image_model, tokens_model])
def test_against_onnxruntime(make, tmp_path):
    """Every tensor on the way has the shape that onnxruntime gives it."""
    runtime = pytest.importorskip("onnxruntime")
    one = make()
    network = read_onnx(saved(one, tmp_path))
    (name,) = (value.name for value in one.graph.input)
    shape = (1, *network.inputs[name])
    names = [output for node in one.graph.node for output in node.output]
    whole = onnx.ModelProto()
    whole.CopyFrom(one)
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=output) for output in names)
    session = runtime.InferenceSession(whole.SerializeToString())
    results = session.run(names, {name: numpy.zeros(shape, "f4")})
    shapes = {output: result.shape for output, result in zip(names, results, strict=True)}
    seen = {(1, *layer.output_shape) for layer in network}
    for node in one.graph.node:
        for output in node.output:
            if len(shapes[output]) > 1 and output not in INSIDE_ATTENTION:  # sizes are folded
                assert shapes[output] in seen, (node.op_type, shapes[output])
    for layer, output in zip(network.outputs, one.graph.output, strict=True):
        assert (1, *network[layer].output_shape) == shapes[output.name]


def test_exact_layers(tmp_path):
    network = read_onnx(saved(image_model(), tmp_path))
    assert [layer.op.kind for layer in network] == [
        *("pad", "conv", "prelu", "max_pool", "upsample", "split", "split", "concat", "slice", "slice", "relu6"),
        *("mean", "linear", "softmax"),
    ]
    counted = archcalc.analyze(network).totals
    assert counted.params == 6 * 27 + 6 + 6 + 5 * 6 + 5
    assert counted.macs == 6 * 9 * 11 * 27 + 6 * 5
    network = read_onnx(saved(tokens_model(), tmp_path))
    counted = archcalc.analyze(network).totals
    assert counted.macs == 7 * 12 * 12 + 2 * 3 * 7 * 7 * 4
    assert counted.params == 12 * 12 + 12 + 7 * 7 + 12
    assert {layer.op.exactness for layer in network} == {"exact"}


def test_symbolic_sizes_are_given(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    open_sizes = {"x": ["N", 3, "H", "W"]}
    path = saved(model(nodes, open_sizes, {"y": ["N", 4, "a", "b"]}, [floats("w", 4, 3, 3, 3)]), tmp_path)
    with pytest.raises(UserError, match="the size 'H' of axis 2 of the input 'x' is not fixed") as refused:
        read_onnx(path)
    assert "--input x=3,224,224" in str(refused.value)
    network = read_onnx(path, {"x": (3, 10, 12)})
    assert network.inputs == {"x": (3, 10, 12)}
    assert network.layers[-1].output_shape == (4, 8, 10)
    with pytest.raises(UserError, match="fixes a size of the input 'x' to 3, got 4"):
        read_onnx(path, {"x": (4, 10, 12)})
    with pytest.raises(UserError, match="no input 'image'"):
        read_onnx(path, {"image": (3, 10, 12)})
    with pytest.raises(UserError, match="3 sizes are expected, got 2"):
        read_onnx(path, {"x": (10, 12)})


def test_a_fixed_batch_in_reshapes(tmp_path):
    """A file with a batch of 4 in the sizes of its reshapes counts one sample."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Reshape", ["c", "target"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    stored = [floats("w", 4, 3, 3, 3), integers("target", 4, -1), floats("v", 144, 2)]
    path = saved(model(nodes, {"x": [4, 3, 8, 8]}, {"y": [4, 2]}, stored), tmp_path)
    network = read_onnx(path)
    assert network.inputs == {"x": (3, 8, 8)}
    assert archcalc.analyze(network).totals.macs == 4 * 36 * 27 + 144 * 2


def test_quantized(tmp_path):
    """Convolutions and products on integers count, and a dequantized weight is the weight."""
    byte = lambda name, *sizes: onnx.numpy_helper.from_array(numpy.ones(sizes, "u1"), name)  # noqa: E731
    one = lambda name: onnx.numpy_helper.from_array(numpy.float32(1), name)  # noqa: E731
    zero = lambda name: onnx.numpy_helper.from_array(numpy.uint8(0), name)  # noqa: E731
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z"], ["c"]),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w2", "s", "z"], ["dw"]),
        helper.make_node("Conv", ["d", "dw"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("QuantizeLinear", ["f", "s", "z"], ["g"]),
        helper.make_node("MatMulInteger", ["g", "v"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=1),
    ]
    stored = [one("s"), zero("z"), byte("w", 4, 3, 3, 3), byte("w2", 2, 4, 1, 1), byte("v", 72, 5)]
    network = read_onnx(saved(model(nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 5]}, stored), tmp_path))
    counted = archcalc.analyze(network).totals
    assert counted.macs == 4 * 36 * 27 + 2 * 36 * 4 + 72 * 5
    assert counted.params == 4 * 27 + 8 + 72 * 5
    kinds = [layer.op.kind for layer in network]
    assert kinds.count("conv") == 2
    assert kinds.count("linear") == 1


def test_branches_loops_and_functions(tmp_path):
    """A branch whose condition is known is read, a function's body too; a loop and a custom operator are opaque."""
    branch = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["t"])], "then", [], [helper.make_tensor_value_info("t", 1, [1, 5])]
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["t"])], "else", [], [helper.make_tensor_value_info("t", 1, [1, 4])]
    )
    body = helper.make_graph(
        [helper.make_node("MatMul", ["state", "u"], ["next"]), helper.make_node("Identity", ["go"], ["go_on"])],
        "body",
        [
            helper.make_tensor_value_info("i", 7, []),
            helper.make_tensor_value_info("go", 9, []),
            helper.make_tensor_value_info("state", 1, [1, 5]),
        ],
        [helper.make_tensor_value_info("go_on", 9, []), helper.make_tensor_value_info("next", 1, [1, 5])],
    )
    twice = helper.make_function(
        "own", "twice", ["p"], ["q"], [helper.make_node("Add", ["p", "p"], ["q"])], [helper.make_opsetid("", 18)]
    )
    nodes = [
        helper.make_node("If", ["yes"], ["b"], then_branch=branch, else_branch=other),
        helper.make_node("twice", ["b"], ["d"], domain="own"),
        helper.make_node("Loop", ["three", "yes", "d"], ["l"], body=body),
        helper.make_node("Strange", ["l"], ["s"], domain="com.example"),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    stored = [
        onnx.numpy_helper.from_array(numpy.array(True), "yes"),
        onnx.numpy_helper.from_array(numpy.array(3, "i8"), "three"),
        floats("w", 4, 5),
        floats("u", 5, 5),
    ]
    one = model(nodes, {"x": [1, 4]}, {"y": [1, 5]}, stored)
    one.functions.append(twice)
    one.opset_import.append(helper.make_opsetid("own", 1))
    one.opset_import.append(helper.make_opsetid("com.example", 1))
    network = read_onnx(saved(one, tmp_path))
    assert [(layer.op.kind, layer.op.exactness) for layer in network] == [
        ("linear", "exact"), ("add", "exact"), ("opaque", "opaque"), ("opaque", "opaque"), ("opaque", "opaque"),
    ]  # fmt: skip
    assert archcalc.analyze(network).totals.params == 4 * 5 + 5 * 5


def test_names_of_tensors_are_kept(tmp_path):
    one = model(
        [helper.make_node("Gemm", ["x", "a::w/1", "b"], ["y"], "dense layer:1", transB=1)],
        {"x": ["n", 4]}, {"y": ["n", 5]}, [floats("a::w/1", 5, 4), floats("b", 5)],
    )  # fmt: skip
    network = read_onnx(saved(one, tmp_path))
    (layer,) = network
    assert layer.name == "dense_layer_1"
    assert network.renames == {"dense_layer_1.weight": "a::w/1", "dense_layer_1.bias": "b"}


@pytest.mark.parametrize(
    ("equation", "sizes", "macs"),
    [
        ("bij,bjk->bik", ((3, 4), (4, 5)), 3 * 4 * 5),
        ("bij,bij->bij", ((3, 4), (3, 4)), 0),  # nothing is summed, as for PyTorch
        ("bij,bjk,bkl->bil", ((3, 4), (4, 5), (5, 6)), 3 * 4 * 5 + 3 * 5 * 6),  # from the left to the right
    ],
)
def test_sums_of_products(equation, sizes, macs, tmp_path):
    names = [f"x{number}" for number in range(len(sizes))]
    inputs = {name: ("N", *shape) for name, shape in zip(names, sizes, strict=True)}
    made = model([helper.make_node("Einsum", names, ["y"], equation=equation)], inputs, {"y": None})
    (layer,) = read_onnx(saved(made, tmp_path))
    assert (layer.op.kind, layer.op.work()["mac"]) == ("generic", macs)


def test_numbers_become_those_of_another_tensor(tmp_path):
    """1 and 2 as numbers like those of x, one divided by the other: the product with x was opaque."""
    nodes = [
        helper.make_node("CastLike", ["one", "x"], ["a"]),
        helper.make_node("CastLike", ["two", "x"], ["b"]),
        helper.make_node("Div", ["a", "b"], ["half"]),
        helper.make_node("Mul", ["x", "half"], ["y"]),
    ]
    stored = [onnx.numpy_helper.from_array(numpy.array(value), name) for name, value in (("one", 1), ("two", 2))]
    (layer,) = read_onnx(saved(model(nodes, {"x": ("N", 4)}, {"y": None}, stored), tmp_path))
    assert (layer.op.kind, layer.op.factor) == ("scale", 0.5)
