"""Normalization, counted at inference.

Batch normalization then uses stored statistics, folded into one multiplication and one addition per element
(Ioffe and Szegedy, *Batch Normalization*, 2015). The others take their statistics from the input itself.
"""

from collections.abc import Mapping
from typing import Any

from archcalc.arithmetic import Dim, Shape, ShapeError, product, require
from archcalc.ops.arguments import Bool, Count, Positive, RealNumber, option, required
from archcalc.ops.calls import Call
from archcalc.ops.convolution import grouped_overestimates
from archcalc.ops.layout import InputTensors, Layout, Order
from archcalc.ops.naming import SEQUENCE, AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    GLANCE,
    SAME_POSITION,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)
from archcalc.structs import replace


def statistics_work(groups: Dim, size: Dim) -> Work:
    """Return the work of normalizing ``groups`` groups of ``size`` numbers to mean 0 and variance 1."""
    return {
        "add": groups * (3 * size - 1),  # sum, difference from the mean, sum of squares, epsilon
        "mul": groups * 2 * size,  # squares, scaling
        "div": groups * 3,  # two means, one reciprocal
        "sqrt": groups,
    }


class Normalization(Operator):
    """What normalizations share that scale and shift by trained numbers."""

    category = "normalization"
    has_linear = False
    takes_value = False
    eps: Positive = option(1e-5, "added to the variance")
    affine: Bool = option(True, "scale and shift each channel by trained numbers")
    aten_arguments = {"eps": "eps"}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any]:
        return {"affine": call.get("weight") is not None, **cls.named(call, cls.aten_arguments)}

    def output_shape(self) -> Shape:
        return self.x

    def affine_shape(self) -> Shape:
        """Return the shape of the trained scale and shift."""
        return (self.channels_in,)

    def weights(self) -> dict[str, Shape]:
        if not self.affine:
            return {}
        return {"weight": self.affine_shape(), "bias": self.affine_shape()}

    def groups_and_size(self) -> tuple[Dim, Dim]:
        """Return how many groups of numbers are normalized, and how many numbers each has."""
        raise NotImplementedError

    def work(self) -> Work:
        work = statistics_work(*self.groups_and_size())
        if self.affine:
            work["mul"] += self.elements
            work["add"] += self.elements
        return work


class BatchNorm(Normalization):
    """Scale and shift each channel by its stored mean and variance."""

    kind = "batch_norm"
    scales_channels = True
    aten = "batch_norm _native_batch_norm_legit_no_training"
    onnx = "BatchNormalization"
    needs_images = True
    fused_into = frozenset({"Conv"})
    memory_order = Order.IMAGE
    synonyms = "bn batchnorm batchnorm1d batchnorm2d batchnorm3d batch_normalization batchnormalization"
    integer_buffers = ("num_batches_tracked",)
    aten_arguments = {"eps": "eps", "momentum": "momentum"}
    momentum: RealNumber = option(0.1, "share of a new batch in the running statistics")
    examples = (
        example((100, 32, 32)),
        example((8, 5, 7), affine=False, eps=1e-3),
        example((6, 9)),
        example((12,)),
        example((2, 3, 4, 5)),
    )

    def output_shape(self) -> Shape:
        self.need_axis()
        require(self.rank <= 3, lambda: f"batch_norm needs at most [C, D, H, W], got {shape_text(self.x)}")
        return self.x

    def buffers(self) -> dict[str, Shape]:
        return {"running_mean": (self.channels_in,), "running_var": (self.channels_in,), "num_batches_tracked": ()}

    def work(self) -> Work:
        return {"mul": self.elements, "add": self.elements}

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=True, shared=2 * self.channels_in)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any]:
        if call.get("running_mean") is None:
            raise ShapeError("it takes the statistics of the batch")
        return super().from_aten(call)

    onnx_names = {"weight": "scale", "bias": "B", "running_mean": "input_mean", "running_var": "input_var"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.item or call.get("training_mode", 0):
            return None
        return {"eps": call.get("epsilon", 1e-5), "momentum": round(1 - call.get("momentum", 0.9), 6)}

    def torch(self) -> Torch:
        kwargs = self.changed("eps", "affine", "momentum")
        return Torch(f"nn.BatchNorm{max(self.rank, 1)}d", (self.channels_in,), kwargs)


class _Scaling(Normalization):
    """What normalizations share that may scale alone."""

    bias: Bool = option(True, "shift by trained numbers too; false leaves only the scale")

    def weights(self) -> dict[str, Shape]:
        return {name: shape for name, shape in super().weights().items() if self.bias or name == "weight"}

    def work(self) -> Work:
        work = super().work()
        if self.affine and not self.bias:
            work["add"] -= self.elements
        return work

    def saved_tensors(self) -> SavedTensors:
        """The input; the mean and the deviation of each group."""
        groups, _ = self.groups_and_size()
        return SavedTensors(inputs=True, elements=2 * groups)

    def workspaces(self) -> Workspaces:
        """The mean and the deviation of each group."""
        groups, _ = self.groups_and_size()
        return Workspaces(inference=(Workspace(self.elements + 2 * groups),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any]:
        return {**super().from_aten(call), "bias": call.get("bias") is not None or call.get("weight") is None}


class LayerNorm(_Scaling):
    """Normalize over the last axes."""

    kind = "layer_norm"
    aten = "layer_norm"
    onnx = "LayerNormalization"
    synonyms = "ln layernorm layer_normalization layernormalization"
    dims: Count = option(1, "how many of the last axes are normalized together")
    examples = (
        example((7, 16)),
        example((4, 5, 6), dims=3),
        example((4, 5, 6), dims=2, affine=False),
        example((7, 16), bias=False),
    )

    def output_shape(self) -> Shape:
        require(self.dims <= len(self.x), lambda: f"the input {shape_text(self.x)} has no {self.dims} axes")
        return self.x

    def expected_axes(self) -> AxisNames:
        return SEQUENCE if len(self.x) == 2 and self.dims == 1 else ()

    def affine_shape(self) -> Shape:
        return self.x[-self.dims :]

    def groups_and_size(self) -> tuple[Dim, Dim]:
        return product(self.x[: -self.dims]), product(self.x[-self.dims :])

    def access(self) -> Access:
        return (*(SAME_POSITION,) * (len(self.x) - self.dims), *(GLANCE,) * self.dims)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any]:
        return {**super().from_aten(call), "dims": len(call.arguments["normalized_shape"])}

    onnx_names = {"weight": "Scale", "bias": "B"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.item or call.get("B") is None:
            return None
        return {"eps": call.get("epsilon", 1e-5), "dims": len(call.x.shape) - call.axis("axis", -1)}

    def torch(self) -> Torch:
        kwargs = self.changed("eps", "affine", "bias")
        if "affine" in kwargs:
            kwargs["elementwise_affine"] = kwargs.pop("affine")
        shape = self.affine_shape()
        return Torch("nn.LayerNorm", (shape[0] if len(shape) == 1 else shape,), kwargs)


class GroupNorm(_Scaling):
    """Normalize over groups of channels and all positions."""

    kind = "group_norm"
    aten = "group_norm"
    onnx = "GroupNormalization"
    aten_arguments = {"groups": "num_groups", "eps": "eps"}
    onnx_arguments = {"groups": "num_groups", "eps": "epsilon"}
    needs_images = True
    memory_order = Order.IMAGE
    takes_value = True
    synonyms = "gn groupnorm group_normalization"
    groups: Count = required("number of groups of channels")
    examples = (
        example((12, 5, 7), groups=3),
        example((8, 9), groups=8, affine=False),
        example((8, 9), groups=2, bias=False),
    )

    def output_shape(self) -> Shape:
        self.need_groups(self.groups)
        return self.x

    @property
    def overestimates(self) -> Mapping[str, str]:
        return grouped_overestimates(self.groups)

    def groups_and_size(self) -> tuple[Dim, Dim]:
        return self.groups, self.elements // self.groups

    def access(self) -> Access:
        return (GLANCE,) * len(self.x)

    onnx_names = {"weight": "scale", "bias": "bias"}

    def torch(self) -> Torch:
        return Torch("nn.GroupNorm", (self.groups, self.channels_in), self.changed("eps", "affine", "bias"))


class InstanceNorm(Normalization):
    """Normalize each channel over all its positions."""

    kind = "instance_norm"
    aten = "instance_norm"
    onnx = "InstanceNormalization"
    needs_images = True
    synonyms = "instancenorm instancenorm2d instance_normalization"
    affine: Bool = option(False, "scale and shift each channel by trained numbers")
    examples = (example((12, 5, 7)), example((8, 9), affine=True), example((2, 3, 4, 5)))

    def output_shape(self) -> Shape:
        self.need_spatial()
        require(product(self.x[1:]) > 1, lambda: "instance_norm needs more than one position to normalize over")
        return self.x

    def groups_and_size(self) -> tuple[Dim, Dim]:
        return self.channels_in, product(self.x[1:])

    def access(self) -> Access:
        return (SAME_POSITION, *(GLANCE,) * self.rank)

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=True, elements=(3 if self.affine else 2) * self.channels_in)

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """An input that is not contiguous is copied."""
        saved = self.saved_tensors()
        if tensors.layouts[0].is_in_order:
            return saved
        return replace(saved, inputs=False, elements=saved.elements + self.elements)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.NEW, Layout.in_order(gradient.sizes), is_view=True),)

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return gradient.joined(2) is None

    def workspaces(self) -> Workspaces:
        """The statistics of each channel, and scale and shift, which PyTorch repeats for each sample."""
        return self._workspaces(self.elements, self.elements)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        made = self.elements if tensors.layouts[0].is_in_order else 2 * self.elements
        workspaces = self._workspaces(made, self.elements * any(tensors.needs_gradient))
        return workspaces if tensors.trains_weights else replace(workspaces, backward=())

    def _workspaces(self, made: Dim, returned: Dim) -> Workspaces:
        """``made``: elements of the output and the input's copy; ``returned``: of the input's gradient."""
        channels = self.channels_in
        forward = (Workspace(made + (4 if self.affine else 2) * channels),)
        backward = (Workspace(returned + 2 * channels),) if self.affine else ()
        return Workspaces(forward, forward, backward)

    onnx_names = {"weight": "scale", "bias": "B"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {"eps": call.get("epsilon", 1e-5), "affine": call.get("scale") is not None}

    def torch(self) -> Torch:
        return Torch(f"nn.InstanceNorm{self.rank}d", (self.channels_in,), self.changed("eps", "affine"))
