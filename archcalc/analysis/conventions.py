"""Counting conventions: how many FLOPs each operation counts, as one table per convention.

A table has, for each operator, the FLOPs of each unit of its work. A key with a rank (`adaptive_avg_pool2d`) goes
before one without. A tool that identifies modules by their type has a table of modules instead: `nn.Conv` covers
`nn.Conv1d` to `nn.Conv3d`, and `nn.Upsample:bilinear` covers that mode. Work is measured in the primitive operations of
`Operator.work`, the quantities of `Operator.extra_work`, and

* ``output``: elements of the output, ``input``: elements of the first input
* ``weighted``: elements of the output if the operator has weights, else 0
* ``params``: elements of the tensors called weight and bias; ``params_everywhere``: the same at each output position
"""

from __future__ import annotations

from collections.abc import Mapping

from archcalc.arithmetic import product
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import PRIMITIVES, Backward
from archcalc.structs import Struct

Rates = Mapping[str, int]
_ALL = dict.fromkeys(PRIMITIVES, 1)
_NOTHING: Rates = {}


class Convention(Struct):
    """A named rule for what counts as a FLOP."""

    name: str
    says: str
    """What it counts, in a sentence for students."""
    otherwise: Rates
    """Rates of an operator that is not in the table."""
    table: Mapping[str, Rates]
    memory_says: str
    """What it counts as memory, in a sentence for students."""
    in_place: frozenset[str] = frozenset()
    """Categories whose output overwrites their input."""
    backward: Rates | None = None
    """Rates of the parts of `Operator.backward`; None if the convention does not count the backward pass."""
    modules: Mapping[str, Rates] | None = None
    """Rates by PyTorch module, in place of ``table``, for a tool that identifies modules by their type."""
    functions: Mapping[str, Rates] | None = None
    """With ``modules``: rates of calls that are functions, by the module that does the same; None if they are 0."""
    traces: bool = False
    """True for a tool that counts a traced graph, which lacks layers that no output needs."""

    def flops(self, op: Operator, work: Mapping[str, int]) -> int:
        """Return the FLOPs of the forward pass for one sample."""
        return sum(rate * _amount(op, work, quantity) for quantity, rate in self._rates(op).items())

    def flops_per_batch(self, op: Operator, work: Mapping[str, int]) -> int:
        """Return the FLOPs of what the forward pass does once for a batch."""
        return sum(rate * work.get(quantity, 0) for quantity, rate in self._rates(op).items()) if work else 0

    def backward_flops(self, backward: Backward) -> tuple[int, int, int]:
        """Return the FLOPs of the backward pass for one sample: for the weights, inside, and for the inputs."""
        rates = self.backward or {}
        # PyTorch's counter counts the weight gradient of a grouped convolution as if it had no groups.
        of_weights = rates.get("weights", 0) + rates.get("grouped_weights", 0) * backward.groups
        return (
            of_weights * backward.weights,
            rates.get("inner", 0) * backward.inner,
            rates.get("inputs", 0) * backward.inputs,
        )

    def _rates(self, op: Operator) -> Rates:
        called = op.called
        op = op.counted_as
        if self.modules is None:
            return self.table.get(f"{op.kind}{op.rank}d") or self.table.get(op.kind, self.otherwise)
        described = op.torch()
        table = self.modules if called != "" else self.functions or {}
        module = described.target.removesuffix("1d").removesuffix("2d").removesuffix("3d")
        mode = (described.kwargs or {}).get("mode")
        return table.get(f"{module}:{mode}") or table.get(module, self.otherwise)


def _amount(op: Operator, work: Mapping[str, int], quantity: str) -> int:
    """Return the amount of a unit of work for one sample."""
    if quantity in work:
        return work[quantity]
    if quantity == "output" or (quantity == "weighted" and op.weights()):
        return op.elements
    if quantity == "input":
        return product(op.x)
    if quantity in ("params", "params_everywhere"):
        tensors = [shape for name, shape in op.weights().items() if name.endswith(("weight", "bias"))]
        count: int = sum(map(product, tensors))
        return count * product(op.output[1:]) if quantity == "params_everywhere" else count
    return op.extra_work().get(quantity, 0)


_EVERY_OUTPUT = "output elements × {itemsize} B, for every layer"
_MACS: Rates = {"mac": 1, "matmul": 1}
_LARGEST: Rates = {"compare": 1, "output": 1}
_AVERAGE: Rates = {"add": 1, "div": 1}
_FVCORE_NORM: Rates = {"output": 4, "weighted": 1}


def _each(*names: str, **rates: int) -> dict[str, Rates]:
    """Return the same rates for several operators or modules."""
    return dict.fromkeys(names, rates)


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention(
            name="lecture",
            says="1 per multiply-add of convolution, linear and attention, K·K per output of a pooling; bias, "
            "normalization, activation and everything else 0",
            otherwise=_MACS,
            table={
                "max_pool": _LARGEST,
                "adaptive_max_pool": _LARGEST,
                "global_max_pool": _LARGEST,
                "avg_pool": _AVERAGE,
                "adaptive_avg_pool": _AVERAGE,
                "global_avg_pool": _AVERAGE,
            },
            memory_says="output elements × {itemsize} B; activation, normalization and dropout work in place",
            in_place=frozenset({"activation", "normalization", "regularization"}),
            backward={"weights": 1, "inner": 1, "inputs": 1},
        ),
        Convention(
            name="full",
            says="every arithmetic operation: 2 per multiply-add, 1 per addition, multiplication, division, "
            "comparison, exponential and the like",
            otherwise={**_ALL, "mac": 2, "matmul": 2},
            table={},
            memory_says=_EVERY_OUTPUT,
        ),
        Convention(
            name="fvcore",
            traces=True,
            says="as fvcore's FlopCountAnalysis: 1 per multiply-add, 2 per element of batch normalization, 5 of other "
            "normalizations, adaptive average pooling and interpolation; the rest 0",
            otherwise=_NOTHING,
            table={
                "conv": _MACS,
                "conv_transpose": _MACS,
                "linear": _MACS,
                "multi_head_attention": {"mac": 1},  # its projections; the attention itself is unsupported
                "window_attention": _MACS,
                **_each("mixture_of_experts", "blur_pool", "opaque", "generic", "computed", mac=1, matmul=1),
                "matmul": {"fvcore": 1},
                **_each("einsum", "dynamic_conv", matmul=1),
                "grid_sample": {"output": 4},
                "batch_norm": {"output": 1, "weighted": 1},
                "layer_norm": _FVCORE_NORM,
                "group_norm": _FVCORE_NORM,
                "instance_norm": _FVCORE_NORM,
                "adaptive_avg_pool2d": {"input": 1},
                "global_avg_pool2d": {"input": 1},
                "upsample2d": {"fvcore": 1},
            },
            memory_says=_EVERY_OUTPUT,
        ),
        Convention(
            name="torch",
            says="as torch.utils.flop_counter: 2 per multiply-add of convolution, linear and attention; the rest 0",
            otherwise={"mac": 2, "matmul": 2},
            table={},
            memory_says=_EVERY_OUTPUT,
            backward={"grouped_weights": 2, "inner": 2, "inputs": 2},
        ),
        Convention(
            name="torchinfo",
            says="as torchinfo's total_mult_adds: parameters times output positions for convolution, parameters once "
            "for every other module; operations that are not modules 0",
            otherwise=_NOTHING,
            table={},
            modules={
                **_each("nn.Conv", "nn.ConvTranspose", "archcalc.PaddedConv", params_everywhere=1),
                **_each("nn.Linear", "nn.Embedding", "nn.PReLU", "archcalc.WindowAttention", params=1),
                "archcalc.RelativePositionBias": {"of_each_head": 1},
                **_each("nn.BatchNorm", "nn.LayerNorm", "nn.GroupNorm", "nn.InstanceNorm", "nn.RMSNorm", params=1),
                **_each("nn.LSTM", "nn.GRU", "nn.RNN", every_step=1),
            },
            memory_says=_EVERY_OUTPUT,
        ),
        Convention(
            name="ptflops",
            says="as ptflops with its PyTorch backend: multiply-adds and biases of convolution and linear, 2 per "
            "element of batch normalization, 1 of layer normalization; activations and poolings that it meets both as "
            "a module and as a function twice",
            otherwise=_NOTHING,
            table={},
            modules={
                **_each("nn.Conv", "nn.ConvTranspose", "nn.Linear", mac=1, add=1),
                **_each("archcalc.WindowAttention", mac=1, projection_add=1),
                **_each("nn.BatchNorm", "nn.GroupNorm", "nn.InstanceNorm", output=1, weighted=1),
                **_each("nn.LayerNorm", output=1),
                **_each("nn.LocalResponseNorm", output=3, padded=1),
                **_each("nn.ReLU", "nn.PReLU", "nn.ELU", "nn.GELU", output=2),
                **_each("nn.ReLU6", "nn.LeakyReLU", "nn.SiLU", "nn.Softmax", output=1),
                **_each("nn.MaxPool", "nn.AvgPool", "nn.AdaptiveAvgPool", "nn.AdaptiveMaxPool", input=2),
                **_each("archcalc.PaddedMaxPool", "archcalc.PaddedAvgPool", padded=1),
                **_each("nn.Upsample", output=1, scaled=1),
                **_each("torch.add", "archcalc.SwiGLU", output=1),
                **_each("nn.LSTM", "nn.GRU", "nn.RNN", ptflops=1),
            },
            functions={
                **_each("nn.Linear", mac=1, add=1),
                **_each("nn.ReLU", "nn.PReLU", "nn.ELU", "nn.GELU", "nn.ReLU6", "nn.LeakyReLU", "nn.SiLU", output=1),
                **_each("nn.Softmax", output=1),
                **_each("nn.MaxPool", "nn.AvgPool", "nn.AdaptiveAvgPool", "nn.AdaptiveMaxPool", input=1),
                **_each("nn.Upsample", output=1, scaled=1),
            },
            memory_says=_EVERY_OUTPUT,
        ),
        Convention(
            name="ptflops-aten",
            says="as ptflops with its aten backend: multiply-adds and biases of convolution, linear and the "
            "projections of attention; the attention itself only where no fused kernel does it",
            otherwise=_NOTHING,
            table={
                **_each("conv", "conv_transpose", "linear", mac=1, add=1),
                **_each("scaled_dot_product_attention", unfused=1),
                **_each("multi_head_attention", mac=1, projection_add=1),
                **_each("window_attention", mac=1, matmul=1, projection_add=1),
                **_each("lstm", "gru", "rnn", unfused=1),
            },
            memory_says=_EVERY_OUTPUT,
        ),
        Convention(
            name="thop",
            says="as thop's profile: multiply-adds of convolution and linear, 4 per element of batch and layer "
            "normalization (2 without weights), 1 per output of average pooling, and what else it knows as a module",
            otherwise=_NOTHING,
            table={},
            modules={
                **_each("nn.Conv", "nn.Linear", "archcalc.WindowAttention", mac=1),
                **_each("nn.ConvTranspose", gathered=1),
                **_each("nn.BatchNorm", "nn.LayerNorm", "nn.InstanceNorm", output=2, weighted=2),
                **_each("nn.AvgPool", "nn.PReLU", "nn.Upsample", output=1),
                **_each("nn.AdaptiveAvgPool", input=1, output=1),
                **_each("nn.Softmax", exp=1, div=1, compare=1),  # 3 per element, less 1 per row
                **_each("nn.Upsample:linear", output=5),
                **_each("nn.Upsample:bilinear", output=11),
                **_each("nn.Upsample:bicubic", output=259),
                **_each("nn.Upsample:trilinear", "nn.Upsample:area", "nn.Upsample:nearest-exact", output=0),
                **_each("nn.LSTM", "nn.GRU", "nn.RNN", thop=1),
            },
            memory_says=_EVERY_OUTPUT,
        ),
    )
}
