"""Reductions: one number out of all along some axes."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Axes, Bool, Natural, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
)
from archcalc.structs import replace


class Reduction(Operator):
    """One number of all those along some axes, which are then gone."""

    category = "pooling"
    over: Axes = option((-2, -1), "the axes, the batch not counted")
    keep_dims: Bool = option(False, "leave the axes with size 1")
    examples = (example((8, 5, 6)), example((7, 12), over=0), example((8, 5, 6), over=(1, 2), keep_dims=True))

    def resolved(self) -> dict[str, Any]:
        over = tuple(sorted(map(self.axis_index, self.over)))
        require(len(set(over)) == len(over), lambda: f"{self.kind} names an axis twice")
        return {"over": over}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if call.item or len(call.operands) != 1:  # places of numbers, or the larger of two tensors
            return None
        return {"over": call.axes(), "keep_dims": call.get("keepdim", False)}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """Without axes, over all; but nothing is done if `noop_with_empty_axes` says so."""
        if call.item or len(call.operands) != 1 or (not call.get("axes") and call.get("noop_with_empty_axes", 0)):
            return None
        return {"over": call.axes("axes"), "keep_dims": bool(call.get("keepdims", 1))}

    def output_shape(self) -> Shape:
        require(len(self.over) > 0, lambda: f"{self.kind} is over one axis or more")
        if self.keep_dims:
            return tuple(1 if axis in self.over else size for axis, size in enumerate(self.x))
        return tuple(size for axis, size in enumerate(self.x) if axis not in self.over)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return tuple((axis,) for axis in range(len(self.x)) if self.keep_dims or axis not in self.over)

    def further_elements(self) -> Dim:
        """How many numbers go into others: all but the first of each row."""
        return product(self.x) - self.elements

    def access(self) -> Access:
        return tuple(WHOLE_AXIS if axis in self.over else SAME_POSITION for axis in range(len(self.x)))

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"dim": tuple(axis + 1 for axis in self.over)}
        if self.keep_dims:
            kwargs["keepdim"] = True
        return Torch(self.torch_name, (), kwargs)

    def linearized(self) -> Operator:
        return Sum(self.inputs, over=self.over, keep_dims=self.keep_dims)

    def repeated(self, tensors: InputTensors, gradient: Layout) -> Layout:
        """Return the output's gradient, repeated along the axes that are gone."""
        strides = list(gradient.strides)
        for axis in self.over:
            if self.keep_dims:
                strides[axis + 1] = 0
            else:
                strides.insert(axis + 1, 0)
        return Layout(tensors.layouts[0].sizes, tuple(strides))


class Mean(Reduction):
    """The average over axes."""

    kind = "mean"
    aten = "mean"
    onnx = "ReduceMean"
    synonyms = "reduce_mean average"
    torch_name = "torch.mean"
    saved = SavedTensors()

    def work(self) -> Work:
        return {"add": self.further_elements(), "div": self.elements}

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """A share of the output's gradient, in its order."""
        return (InputGradient(GradientKind.NEW, elementwise([self.repeated(tensors, gradient)])),)


class Sum(Reduction):
    """The sum over axes."""

    kind = "sum"
    aten = "sum"
    onnx = "ReduceSum"
    synonyms = "reduce_sum reducesum"
    torch_name = "torch.sum"
    saved = SavedTensors()

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """The output's gradient, repeated without a copy."""
        return (InputGradient(GradientKind.SAME, self.repeated(tensors, gradient), is_view=True),)

    def work(self) -> Work:
        return {"add": self.further_elements()}


class _Extreme(Reduction):
    saved = SavedTensors(inputs=True, output=True)

    def work(self) -> Work:
        return {"compare": self.further_elements()}

    def workspaces(self) -> Workspaces:
        """Backward: a mask of the places of extremes, how many each row has, its gradient for each, and all of them."""
        mask = product(self.x) + 8 * self.elements
        return Workspaces(backward=(Workspace(product(self.x) + self.elements, bytes=mask),))


class Max(_Extreme):
    """The largest number over axes."""

    kind = "max"
    aten = "amax max"
    onnx = "ReduceMax"
    synonyms = "reduce_max reducemax amax"
    torch_name = "torch.amax"


class Min(_Extreme):
    """The smallest number over axes."""

    kind = "min"
    aten = "amin min"
    onnx = "ReduceMin"
    synonyms = "reduce_min reducemin amin"
    torch_name = "torch.amin"


class Norm(Reduction):
    """The Euclidean (L2) norm over axes: the root of the sum of squares."""

    kind = "norm"
    aten = "linalg_vector_norm norm"
    onnx = "ReduceL2"
    synonyms = "l2_norm vector_norm reduce_l2 reducel2"
    torch_name = "torch.linalg.vector_norm"
    saved = SavedTensors(inputs=True, output=True)

    def work(self) -> Work:
        return {"mul": product(self.x), "add": self.further_elements(), "sqrt": self.elements}

    def workspaces(self) -> Workspaces:
        """Backward: the input divided by its norm, a mask of norms of 0, and the gradient."""
        return Workspaces(backward=(Workspace(2 * product(self.x), bytes=self.elements),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return super().from_aten(call) if call.get("ord", call.get("p", 2)) == 2 else None


class Variance(Reduction):
    """The variance over axes: the mean of squared differences from the mean."""

    kind = "variance"
    aten = "var"
    synonyms = "var reduce_variance"
    torch_name = "torch.var"
    correction: Natural = option(1, "what is subtracted from the number of elements; 0 divides by all of them")
    examples = (example((8, 5, 6)), example((7, 12), over=0, correction=0), example((8, 5, 6), keep_dims=True))
    saved = SavedTensors(inputs=True)

    def work(self) -> Work:
        elements, further = product(self.x), self.further_elements()
        return {"add": elements + 2 * further, "mul": elements, "div": 2 * self.elements}

    def workspaces(self) -> Workspaces:
        """Backward: the differences and the gradient; the mean, and the output's gradient scaled."""
        return Workspaces(backward=(Workspace(2 * product(self.x) + 2 * self.elements),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        over = super().from_aten(call)
        return over and {**over, "correction": call.get("correction", int(call.get("unbiased", True)))}

    def torch(self) -> Torch:
        described = super().torch()
        return replace(described, kwargs={**(described.kwargs or {}), **self.changed("correction")})


class StandardDeviation(Variance):
    """The standard deviation over axes: the root of the variance."""

    kind = "std"
    aten = "std"
    synonyms = "stddev reduce_std standard_deviation"
    torch_name = "torch.std"
    saved = SavedTensors(inputs=True, output=True)

    def work(self) -> Work:
        return {**super().work(), "sqrt": self.elements}

    def workspaces(self) -> Workspaces:
        """Backward: as that of the variance, whose gradient is kept too."""
        return Workspaces(backward=(Workspace(2 * product(self.x) + 3 * self.elements),))
