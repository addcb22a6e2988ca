"""Convolution whose filters are computed."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, option
from archcalc.ops.calls import Call, Operand
from archcalc.ops.convolution import WindowConvolution
from archcalc.ops.layout import InputTensors, Layout, elementwise
from archcalc.ops.vocabulary import (
    GRADIENT,
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Backward,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)


def _joins_samples(layout: Layout) -> bool:
    """Return True if the first axes of all samples are one axis without a copy."""
    return layout.viewed((layout.sizes[0] * layout.sizes[1], *layout.sizes[2:])) is not None


class DynamicConv(WindowConvolution):
    """Convolution of the first input with filters that are the second, `[channels, C / groups, …]`.

    The filters are normalized weights, or depend on the input (Yang et al., *CondConv*, 2019).
    """

    kind = "dynamic_conv"
    has_linear = False
    tools_agree = False
    aten = "conv1d conv2d conv3d"
    synonyms = "condconv"
    joins = True
    least_inputs = 2
    most_inputs = 2
    bias: Bool = option(False, "add a trained bias per output channel")
    examples = (
        example((3, 12, 11), (8, 3, 3, 3), stride=2, padding=1),
        example((8, 7, 6), (4, 8, 1, 3), padding=((0, 0), (1, 1)), bias=True),
        example((4, 31), (6, 4, 5), dilation=2),
    )

    @property
    def kernel(self) -> Shape:  # type: ignore[override]
        """The size of the window."""
        return self.inputs[1][2:]

    @property
    def channels(self) -> Dim:  # type: ignore[override]
        """The output channels."""
        return self.inputs[1][0]

    def check_filters(self) -> None:
        super().check_filters()
        filters = self.inputs[1]
        require(
            len(filters) == len(self.x) + 1 and filters[1] * self.groups == self.channels_in,
            lambda: f"{shape_text(filters)} are not filters for {shape_text(self.x)} in {self.groups} groups",
        )

    def weights(self) -> dict[str, Shape]:
        return {"bias": (self.channels,)} if self.bias else {}

    def work(self) -> Work:
        """A window over the channels of one group for every output element."""
        elements = self.elements
        return {
            "matmul": elements * product(self.inputs[1][1:]),
            "add": elements if self.bias else 0,
        }

    def backward_for(self, needed: Sequence[bool]) -> Backward:
        return Backward(weights=0, inputs=self.work()["matmul"] * sum(needed))

    def saved_tensors(self) -> SavedTensors:
        """The padded input, which is always a copy, and the filters."""
        return SavedTensors(inputs=(False, True), elements=self.padded_elements())

    def _copied(self, tensors: InputTensors) -> Dim:
        """Return the elements of the filters if those of all samples are not one tensor of filters without a copy."""
        return 0 if _joins_samples(tensors.layouts[1]) else product(self.inputs[1])

    def _is_padded_twice(self, tensors: InputTensors) -> bool:
        """Return True if the padded input is copied again, because it has the input's order of axes."""
        x = tensors.layouts[0]
        if any(map(sum, self.padding)):
            return x.is_channels_last and not _joins_samples(x)
        return not _joins_samples(elementwise([x]))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """The padded input and the filters, or their copy."""
        copied, saved = self._copied(tensors), self.saved_tensors()
        return saved._replace(inputs=(False, not copied), elements=saved.elements + copied)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The padded input, a copy of the filters, and a bias for every sample.

        Backward, the gradients of the filters and the biases beside that of the padded input, then of the input.
        """
        padded, biases = self.padded_elements(), self.channels * self.bias
        forward = [Workspace(padded + self._copied(tensors) + biases + self.elements)]
        forward += [Workspace(2 * padded)] * self._is_padded_twice(tensors)
        wants_input, wants_filters = tensors.needs_gradient
        made = product(self.inputs[1]) * (wants_filters or self.bias) + biases  # a bias's comes with the filters'
        backward: tuple[Workspace, ...] = (Workspace(made),)
        if wants_input:
            backward = (
                Workspace(padded + made),
                Workspace(product(self.x) + made),
                Workspace(product(self.x) + made - padded, shared=biases),
            )
        return Workspaces(
            inference=tuple(forward),
            training=tuple(forward),
            backward=backward if wants_input or wants_filters or self.bias else (),
            frees=((GRADIENT, 1), (1, 1)) if wants_input else (),
        )

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return not _joins_samples(gradient)

    def accesses(self) -> tuple[Access, ...]:
        return (WHOLE_AXIS, *self.windows()), (SAME_POSITION, *(WHOLE_AXIS,) * (len(self.x)))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if not isinstance(call.arguments["weight"], Operand) or isinstance(call.get("bias"), Operand):
            return None
        return super().from_aten(call)

    def torch(self) -> Torch:
        kwargs = {"padding": self.padding, **self.changed("stride", "dilation", "groups")}
        return Torch("archcalc.DynamicConv", (self.channels if self.bias else None,), kwargs)
