"""What other frameworks call our operators and arguments: words that PyTorch, Keras, TensorFlow, Caffe and ONNX use."""

from __future__ import annotations

OPERATORS = {
    "linear": "fc dense fully_connected innerproduct inner_product gemm matmul addmm",
    "conv": "convolution conv1d conv2d conv3d conv2",
    "conv_transpose": (
        "deconv deconv2d deconvolution transposed_conv transpose_conv conv_transpose1d conv_transpose2d "
        "conv_transpose3d convtranspose1d convtranspose2d convtranspose3d conv2dtranspose conv2d_transpose upconv"
    ),
    "max_pool": "maxpool maxpool1d maxpool2d maxpool3d max_pooling max_pooling2d maxpooling2d pool pooling",
    "avg_pool": "avgpool avgpool1d avgpool2d avgpool3d average_pool averagepool average_pooling2d averagepooling2d",
    "global_avg_pool": "gap globalaveragepooling2d global_average_pooling2d globalaveragepool global_pool",
    "global_max_pool": "gmp globalmaxpooling2d global_max_pooling2d globalmaxpool",
    "adaptive_avg_pool": "adaptiveavgpool2d adaptive_avg_pool2d",
    "batch_norm": "bn batchnorm batchnorm1d batchnorm2d batchnorm3d batch_normalization batchnormalization",
    "layer_norm": "ln layernorm layer_normalization layernormalization",
    "group_norm": "gn groupnorm group_normalization",
    "instance_norm": "instancenorm instancenorm2d instance_normalization",
    "local_response_norm": "lrn localresponsenorm",
    "silu": "swish",
    "hardswish": "hswish h_swish hard_swish",
    "hardsigmoid": "hsigmoid h_sigmoid hard_sigmoid",
    "leaky_relu": "leakyrelu lrelu leaky",
    "sigmoid": "logistic",
    "softmax": "soft_max",
    "dropout": "dropout1d dropout2d dropout3d spatial_dropout2d",
    "stochastic_depth": "droppath drop_path drop_connect",
    "permute": "transpose swapaxes",
    "chunk": "split",
    "reshape": "view unflatten rearrange",
    "slice": "narrow crop cropping2d strided_slice gather",
    "pad": "zeropad2d zero_pad zero_padding2d zeropadding2d constantpad2d reflectionpad2d",
    "upsample": "upsampling upsampling2d up_sampling2d interpolate resize resize_bilinear upsamplingnearest2d",
    "concat": "cat concatenate merge route",
    "add": "plus eltwise residual shortcut",
    "mul": "multiply product times",
    "sub": "subtract minus",
    "mean": "reduce_mean average",
    "embedding": "embed lookup token_embedding",
    "attention": "mha multiheadattention multi_head_attention multihead_attention self_attention selfattention attn",
    "channel_shuffle": "shuffle channelshuffle",
    "identity": "noop no_op pass",
}
"""Our operator to the words that others have for it."""

ARGUMENTS = {
    "channels": "filters out_channels num_filters num_output features_out nout width",
    "features": "units out_features num_output num_units output_dim embedding_dim hidden",
    "kernel": "kernel_size ksize filter_size window pool_size size k",
    "stride": "strides s",
    "padding": "pad pads p",
    "dilation": "dilation_rate atrous rate dilations",
    "groups": "num_groups group cardinality",
    "bias": "use_bias has_bias",
    "eps": "epsilon",
    "p": "rate prob probability drop_rate ratio",
    "heads": "num_heads nhead",
    "entries": "num_embeddings vocab_size input_dim vocabulary",
    "scale": "scale_factor factor",
    "size": "output_size target_size",
    "axis": "dim",
    "slope": "negative_slope alpha",
    "ceil_mode": "ceil",
}
"""Our argument to the words that others have for it."""


def ours(word: str, table: dict[str, str], possible: object) -> list[str]:
    """Our words for another's, of those that are possible."""
    plain = word.lower().replace("-", "_")
    return [own for own, theirs in table.items() if plain in theirs.split() and own in possible]  # type: ignore[operator]
