"""Normalization, counted at inference.

Batch normalization then uses stored statistics, folded into one multiplication and one addition per element
(Ioffe and Szegedy, *Batch Normalization*, 2015). The others take their statistics from the input itself.
"""

from collections.abc import Mapping
from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, Count, Positive, RealNumber, option, required
from archcalc.ops.calls import Call
from archcalc.ops.convolution import grouped_overestimates
from archcalc.ops.layout import InputTensors, Layout, Order
from archcalc.ops.naming import SEQUENCE, AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    GLANCE,
    GRADIENT,
    SAME_POSITION,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Window,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)


def statistics_work(groups: Dim, size: Dim) -> Work:
    """Return the work of normalizing ``groups`` groups of ``size`` numbers to mean 0 and variance 1."""
    return {
        "add": groups * (3 * size - 1),  # sum, difference from the mean, sum of squares, epsilon
        "mul": groups * 2 * size,  # squares, scaling
        "div": groups * 3,  # two means, one reciprocal
        "sqrt": groups,
    }


class _Normalization(Operator):
    category = "normalization"
    takes_value = False
    eps: Positive = option(1e-5, "added to the variance")
    affine: Bool = option(True, "scale and shift each channel by trained numbers")

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

    def linearized(self) -> None:
        return None


class BatchNorm(_Normalization):
    """Scale and shift each channel by its stored mean and variance."""

    kind = "batch_norm"
    aten = "batch_norm _native_batch_norm_legit_no_training"
    onnx = "BatchNormalization"
    memory_order = Order.IMAGE
    synonyms = "bn batchnorm batchnorm1d batchnorm2d batchnorm3d batch_normalization batchnormalization"
    integer_buffers = ("num_batches_tracked",)
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
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        if call.get("running_mean") is None:  # it takes the statistics of the batch
            return None
        return {"eps": call.get("eps"), "momentum": call.get("momentum", 0.1), "affine": call.get("weight") is not None}

    onnx_names = {"weight": "scale", "bias": "B", "running_mean": "input_mean", "running_var": "input_var"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        if call.item or call.get("training_mode", 0):
            return None
        return {"eps": call.get("epsilon", 1e-5), "momentum": round(1 - call.get("momentum", 0.9), 6)}

    def torch(self) -> Torch:
        kwargs = self.changed("eps", "affine", "momentum")
        return Torch(f"nn.BatchNorm{max(self.rank, 1)}d", (self.channels_in,), kwargs)


class LayerNorm(_Normalization):
    """Normalize over the last axes."""

    kind = "layer_norm"
    aten = "layer_norm"
    onnx = "LayerNormalization"
    synonyms = "ln layernorm layer_normalization layernormalization"
    dims: Count = option(1, "how many of the last axes are normalized together")
    bias: Bool = option(True, "shift by trained numbers too; false leaves only the scale")
    examples = (
        example((7, 16)),
        example((4, 5, 6), dims=3),
        example((4, 5, 6), dims=2, affine=False),
        example((7, 16), bias=False),
    )

    def weights(self) -> dict[str, Shape]:
        return {name: shape for name, shape in super().weights().items() if self.bias or name == "weight"}

    def work(self) -> Work:
        work = super().work()
        if self.affine and not self.bias:
            work["add"] -= self.elements
        return work

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

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=True, elements=2 * self.groups_and_size()[0])

    def workspaces(self) -> Workspaces:
        """The mean and the deviation of each group."""
        return Workspaces(inference=(Workspace(self.elements + 2 * self.groups_and_size()[0]),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {
            "eps": call.get("eps"),
            "affine": call.get("weight") is not None,
            "dims": len(call.arguments["normalized_shape"]),
            "bias": call.get("bias") is not None or call.get("weight") is None,
        }

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


class GroupNorm(_Normalization):
    """Normalize over groups of channels and all positions."""

    kind = "group_norm"
    aten = "group_norm"
    onnx = "GroupNormalization"
    memory_order = Order.IMAGE
    takes_value = True
    synonyms = "gn groupnorm group_normalization"
    groups: Count = required("number of groups of channels")
    examples = (example((12, 5, 7), groups=3), example((8, 9), groups=8, affine=False))

    def output_shape(self) -> Shape:
        require(
            self.channels_in % self.groups == 0,
            lambda: f"groups {self.groups} do not divide the {self.channels_in} channels",
        )
        return self.x

    @property
    def overestimates(self) -> Mapping[str, str]:
        return grouped_overestimates(self.groups)

    def groups_and_size(self) -> tuple[Dim, Dim]:
        return self.groups, self.elements // self.groups

    def access(self) -> Access:
        return (GLANCE,) * len(self.x)

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=True, elements=2 * self.groups)

    def workspaces(self) -> Workspaces:
        """The mean and the deviation of each group."""
        return Workspaces(inference=(Workspace(self.elements + 2 * self.groups),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        return {
            "groups": call.arguments["num_groups"],
            "eps": call.get("eps"),
            "affine": call.get("weight") is not None,
        }

    onnx_names = {"weight": "scale", "bias": "bias"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        return {"groups": call.arguments["num_groups"], "eps": call.get("epsilon", 1e-5)}

    def torch(self) -> Torch:
        return Torch("nn.GroupNorm", (self.groups, self.channels_in), self.changed("eps", "affine"))


class InstanceNorm(_Normalization):
    """Normalize each channel over all its positions."""

    kind = "instance_norm"
    aten = "instance_norm"
    onnx = "InstanceNormalization"
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
        return saved._replace(inputs=False, elements=saved.elements + self.elements)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.NEW, Layout.in_order(gradient.sizes), is_view=True),)

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        batch, channels, *sizes = gradient.sizes
        return gradient.viewed((1, batch * channels, *sizes)) is None

    def workspaces(self) -> Workspaces:
        """The statistics of each channel, and scale and shift, which PyTorch repeats for each sample."""
        return self._workspaces(self.elements, self.elements)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        made = self.elements if tensors.layouts[0].is_in_order else 2 * self.elements
        return self._workspaces(made, self.elements * any(tensors.needs_gradient))

    def _workspaces(self, made: Dim, returned: Dim) -> Workspaces:
        """``made``: elements of the output and the input's copy; ``returned``: of the input's gradient."""
        channels = self.channels_in
        forward = (Workspace(made + (4 if self.affine else 2) * channels),)
        backward = (Workspace(returned + 2 * channels),) if self.affine else ()
        return Workspaces(forward, forward, backward)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        return {"eps": call.get("eps"), "affine": call.get("weight") is not None}

    onnx_names = {"weight": "scale", "bias": "B"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        return {"eps": call.get("epsilon", 1e-5), "affine": call.get("scale") is not None}

    def torch(self) -> Torch:
        return Torch(f"nn.InstanceNorm{self.rank}d", (self.channels_in,), self.changed("eps", "affine"))


class LocalResponseNorm(Operator):
    """Divide by a power of the sum of the neighboring channels' squares (Krizhevsky et al., 2012)."""

    kind = "local_response_norm"
    onnx = "LRN"
    memory_order = Order.INPUTS
    synonyms = "lrn localresponsenorm"
    category = "normalization"
    size: Count = required("number of neighboring channels")
    alpha: RealNumber = option(1e-4, "weight of the squares")
    beta: RealNumber = option(0.75, "the power")
    k: RealNumber = option(1.0, "the constant added")
    examples = (example((16, 5, 7), size=5), example((8, 9), size=3, k=2, alpha=1e-3))

    def output_shape(self) -> Shape:
        require(self.rank >= 1, lambda: f"{self.kind} needs [C, L] or more, got {shape_text(self.x)}")
        return self.x

    def work(self) -> Work:
        elements = self.elements
        return {
            "mul": 3 * elements,  # the square, alpha, and beta times the logarithm
            "add": self.size * elements,
            "log": elements,
            "exp": elements,
            "div": elements,
        }

    def extra_work(self) -> Work:
        """``padded``: the elements of the squares, with the zeros that PyTorch adds around the channels."""
        return {"padded": self._padded()}

    def access(self) -> Access:
        neighbors = Window(1, -(self.size // 2), (self.size - 1) // 2)
        return (neighbors, *(SAME_POSITION,) * self.rank)

    def linearized(self) -> None:
        return None

    def saved_tensors(self) -> SavedTensors:
        """The input, its padded squares, the sums and their powers."""
        return SavedTensors(inputs=True, elements=2 * self.elements + self._padded())

    def _padded(self) -> Dim:
        """Return the elements of the squares with their padding of channels."""
        padded: Dim = (self.channels_in + self.size - 1) * product(self.x[1:])
        return padded

    def workspaces(self) -> Workspaces:
        """The squares with and without padding; then the sums, times alpha, plus k, or to the power of beta."""
        elements = self.elements
        return Workspaces(
            inference=(Workspace(elements + self._padded()), Workspace(3 * elements)),
            # the gradients of a quotient's two operands; then that of the padded squares
            backward=(Workspace(4 * elements), Workspace(self._padded())),
            frees=((GRADIENT, 1),),
        )

    def early_gradients(self, tensors: InputTensors) -> tuple[int, ...]:
        """The gradient comes in several parts."""
        return (0,)

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        names = {"alpha": "alpha", "beta": "beta", "k": "bias"}
        return {"size": call.arguments["size"]} | {
            own: call.get(name) for own, name in names.items() if call.get(name) is not None
        }

    def torch(self) -> Torch:
        return Torch(
            "nn.LocalResponseNorm",
            (self.size,),
            {"alpha": float(self.alpha), "beta": float(self.beta), "k": float(self.k)},
        )


class RmsNorm(_Normalization):
    """Divide by the root of the mean of squares over the last axis (Zhang and Sennrich, 2019)."""

    kind = "rms_norm"
    aten = "rms_norm"
    onnx = "RMSNormalization"
    synonyms = "rmsnorm rms_layer_norm"
    eps: Positive = option(1e-6, "added to the mean of squares")
    examples = (example((7, 12)), example((4, 5, 6), affine=False))

    def output_shape(self) -> Shape:
        self.need_axis()
        return self.x

    def expected_axes(self) -> AxisNames:
        return SEQUENCE if len(self.x) == 2 else ()

    saved = None

    def affine_shape(self) -> Shape:
        return (self.x[-1],)

    def weights(self) -> dict[str, Shape]:
        return {"weight": self.affine_shape()} if self.affine else {}

    def work(self) -> Work:
        """Squares and their mean, a root and a reciprocal for each row; a factor for each element."""
        elements, rows = self.elements, self.elements // self.x[-1]
        scaled = elements if self.affine else 0
        return {"mul": 2 * elements + scaled, "add": elements, "div": 2 * rows, "sqrt": rows}

    def access(self) -> Access:
        return (*(SAME_POSITION,) * (len(self.x) - 1), GLANCE)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if len(call.arguments["normalized_shape"]) != 1:
            return None
        # Without eps, PyTorch takes that of float32.
        return {"affine": call.get("weight") is not None, "eps": call.get("eps", 2.0**-23)}

    onnx_names = {"weight": "scale"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.axis("axis", -1) != len(call.x.shape) - 1:
            return None
        return {"eps": call.get("epsilon", 1e-5)}

    def torch(self) -> Torch:
        kwargs = {} if self.affine else {"elementwise_affine": False}
        return Torch("nn.RMSNorm", (self.x[-1],), {"eps": float(self.eps), **kwargs})
