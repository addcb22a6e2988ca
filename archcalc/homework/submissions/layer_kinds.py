"""Kinds of layers as students call them: CONV1, MAXPOOL, `dense (Dense)`, ReLU-2, Batch Norm."""

from __future__ import annotations

import re

_WORDS = {
    "convolution": "conv conv1d conv2d conv3d convolution convolutional convolution2d convlayer deconv convtranspose "
    "convtranspose2d conv2dtranspose transposedconv depthwiseconv2d separableconv2d pointwise depthwise",
    "pooling": "pool pooling maxpool maxpooling maxpool1d maxpool2d maxpool3d maxpooling2d avgpool averagepool "
    "averagepooling avgpool2d averagepooling2d meanpool subsampling subsample globalaveragepooling "
    "globalaveragepooling2d globalavgpool gap adaptiveavgpool adaptiveavgpool2d mp ap avgpooling",
    "activation": "relu relu6 prelu leakyrelu elu gelu silu swish sigmoid tanh softmax activation nonlinearity "
    "hardswish softplus logsoftmax act",
    "normalization": "bn batchnorm batchnorm1d batchnorm2d batchnormalization batchnormalisation norm normalization "
    "normalisation layernorm groupnorm lrn localresponsenorm instancenorm",
    "regularization": "dropout dropout2d droppath stochasticdepth drop",
    "linear": "fc dense linear fullyconnected fullyconn fconnected ip innerproduct affine",
    "flatten": "flatten flattening flat unroll vectorize",
    "add": "add addition residual shortcutadd",
    "concat": "concat concatenate concatenation depthconcat",
    "recurrent": "lstm gru rnn",
    "upsample": "upsample upsampling upsampling2d",
}
_CATEGORY = {word: category for category, words in _WORDS.items() for word in words.split()}
_TYPE = re.compile(r"\(([^()]*)\)?$")


def kind_of(name: str) -> str:
    """Return the category or the kind of operator that a row's name says; empty if it says none."""
    match = _TYPE.search(name.strip())
    for text in (*([match[1]] if match else ()), name[: match.start()] if match else name):
        words = [word for word in re.split(r"[^a-z0-9]+|(?<=[a-z])(?=\d+(?!d))", text.casefold()) if word]
        joined = re.sub(r"[^a-z]", "", text.casefold())
        for word in (*words, joined, joined.removesuffix("layer")):
            plain = word.strip("0123456789") if word not in _CATEGORY else word
            if plain in _CATEGORY:
                return _CATEGORY[plain]
    return ""


def ordinal_of(name: str) -> int | None:
    """Return the number in a name that has one, such as 3 in `Conv 3`; the 2 of `Conv2d` is none."""
    numbers = re.findall(r"\d+", re.sub(r"(?<!\d)\d+(?:d(?![a-z])|\s*[x×]\s*\d+)", "", name.casefold()))
    return int(numbers[0]) if len(numbers) == 1 and len(numbers[0]) <= 4 else None
