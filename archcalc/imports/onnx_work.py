"""The work of ONNX's operations, from the sizes of their tensors, where no operator of archcalc says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.imports.einsum import einsum_macs
from archcalc.imports.mapping import moves_elements

Sizes = Mapping[str, Sequence[Shape]]
"""Name of an input to the sizes of its tensors."""

OPAQUE = frozenset(
    [
        *("If", "Loop", "Scan", "SequenceMap", "NonMaxSuppression", "NonZero", "Unique", "Compress"),
        *("DFT", "STFT", "Det", "LinearAttention", "ImageDecoder", "Bernoulli", "Multinomial"),
        *("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"),
        *("Adagrad", "Adam", "Momentum", "Gradient", "Optional", "OptionalGetElement", "OptionalHasElement"),
        *("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength"),
        *("SplitToSequence", "ConcatFromSequence"),
    ]
)
"""Operations whose work or output depends on the data, or is not known."""
COMPARING = frozenset(["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Xor"])
"""Operations that compare two tensors element by element."""
MOVING = COMPARING | frozenset(
    [
        *("Identity", "Cast", "CastLike", "BitCast", "Tile", "Pad", "Where", "Dropout", "Compress", "Trilu"),
        *("Gather", "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND", "TensorScatter"),
        *("Shape", "Size", "OneHot", "EyeLike", "Range", "ConstantOfShape", "Squeeze", "Unsqueeze"),
        *("DepthToSpace", "SpaceToDepth", "Col2Im", "CenterCropPad", "MaxUnpool", "ReverseSequence"),
        *("TopK", "ArgMax", "ArgMin", "Hardmax", "Not", "IsNaN", "IsInf"),
        *("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"),
        *("RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike"),
    ]
)
"""Operations that compare or move elements, which is no arithmetic, beside those whose operators here say so."""
REDUCING = frozenset(
    [
        *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
        *("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "GlobalLpPool"),
        *("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"),
    ]
)
"""Operations whose work grows with the elements of the input."""


def multiply_adds(operation: str, inputs: Sizes, output: Shape, attributes: Mapping[str, Any]) -> int | None:
    """Return the multiply-adds of an operation, with those for the whole batch; 0 if it has none.

    None if it multiplies matrices, but how many times is not known.
    """
    rule = RULES.get(operation)
    try:
        return rule(inputs, output, attributes) if rule else 0
    except (IndexError, KeyError, ValueError, TypeError, ArithmeticError):
        return None


def other_work(operation: str, inputs: Sizes, output: Shape, attributes: Mapping[str, Any]) -> int:
    """Return the other arithmetic of an operation without an operator, for the whole batch, as additions."""
    if operation in MOVING or moves_elements(operation, "onnx"):
        return 0
    elements = int(product(output))
    if operation in REDUCING and inputs:
        return int(product(next(iter(inputs.values()))[0]))
    if operation in ("LpPool", "MaxPool", "AveragePool"):
        return elements * int(product(attributes.get("kernel_shape", ())))
    return elements


def _matmul(first: str) -> Callable[..., int]:
    return lambda inputs, output, attributes: int(product(output)) * inputs[first][0][-1]


def _gemm(inputs: Sizes, output: Shape, attributes: Mapping[str, Any]) -> int:
    return int(product(output)) * inputs["A"][0][0 if attributes.get("transA") else -1]


def _convolution(weight: str) -> Callable[..., int]:
    return lambda inputs, output, attributes: int(product(output)) * int(product(inputs[weight][0][1:]))


def _transposed(inputs: Sizes, output: Shape, attributes: Mapping[str, Any]) -> int:
    return int(product(inputs["X"][0])) * int(product(inputs["W"][0][1:]))


def _recurrent(inputs: Sizes, output: Shape, attributes: Mapping[str, Any]) -> int:
    """Every step multiplies the input and the state of each sample by the matrices of all directions."""
    steps, samples = inputs["X"][0][:2]
    return steps * samples * int(product(inputs["W"][0]) + product(inputs["R"][0]))


def _attention(inputs: Sizes, output: Shape, attributes: Mapping[str, Any]) -> int:
    query, key, value = (inputs[name][0] for name in "QKV")
    heads = attributes.get("q_num_heads")
    past = inputs["past_key"][0][2] if "past_key" in inputs else 0
    if len(query) == 4:
        return int(product(query[:3])) * (key[2] + past) * (query[3] + value[3])
    kept = attributes["kv_num_heads"]
    samples, length, width = query
    return int(samples * length * (key[1] + past) * (width + heads * (value[2] // kept)))


RULES: dict[str, Callable[..., int]] = {
    "MatMul": _matmul("A"),
    "MatMulInteger": _matmul("A"),
    "QLinearMatMul": _matmul("a"),
    "Gemm": _gemm,
    "Conv": _convolution("W"),
    "DeformConv": _convolution("W"),
    "ConvInteger": _convolution("w"),
    "QLinearConv": _convolution("w"),
    "CausalConvWithState": _convolution("weight"),
    "ConvTranspose": _transposed,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "Attention": _attention,
    "Einsum": lambda inputs, output, attributes: einsum_macs(attributes["equation"], inputs["Inputs"]),
}
