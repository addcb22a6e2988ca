"""One operator, applied to every slice along the first axis of the input: to each patch, window or head."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from archcalc import ops
from archcalc.arithmetic import Shape, ShapeError, product, require
from archcalc.ops.arguments import BadArgument, OperatorName, required
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.naming import AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    Access,
    Backward,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
)
from archcalc.structs import replace

_Memory = TypeVar("_Memory", bound=Workspace)


def _joined(layout: Layout) -> Layout:
    """Return the layout with the batch and the slices as one axis; of a copy if it cannot be viewed so."""
    batch, slices, *others = layout.sizes
    return layout.joined(2) or Layout.in_order((batch * slices, *others))


class Each(Operator):
    """Another operator, applied to each slice along the first axis; all slices share its weights."""

    kind = "each"
    tools_agree = False
    category = "shape"
    operator: OperatorName = required("the operator: its name, or {name: its first argument, other arguments}")
    inner: Operator
    """The operator of one slice."""
    examples = (
        example((5, 3, 8, 9), operator={"conv": 4, "kernel": 3, "padding": 1}),
        example((5, 3, 8), operator="batch_norm"),
        example((4, 6, 8, 8), operator={"max_pool": 2}),
        example((2, 3, 7, 8), operator={"conv": 4, "kernel": 3, "standardized": True}),
        example((3, 7, 8), operator={"lstm": 5, "last": True, "bidirectional": True}),
    )

    def resolved(self) -> dict[str, Any]:
        self.need_axis()
        kind, given = cast("tuple[str, dict[str, Any]]", self.operator)
        operator = ops.registry().get(kind)
        if operator is None or operator.most_inputs != 1 or operator.numbers_are_given or operator is Each:
            raise BadArgument(f"each applies operators of one input, which {kind} is not", "operator")
        if "" in given:
            given = {operator.principal() or kind: given[""], **{key: given[key] for key in given if key}}
        try:
            inner = operator([self.x[1:]], **given)
        except BadArgument as error:
            raise BadArgument(f"{kind}: {error}", "operator") from error
        except ShapeError as error:
            raise ShapeError(f"each slice: {error}") from error
        described = inner.torch()
        require(
            described.target.rpartition(".")[2][:1].isupper(),
            lambda: f"each applies operators that are modules in PyTorch, which {kind} is not with these arguments",
        )
        return {"inner": inner, "operator": (kind, {name: getattr(inner, name) for name in given})}

    def output_shape(self) -> Shape:
        return (self.x[0], *self.inner.output)

    @property
    def counted_as(self) -> Operator:
        return self.inner

    def weights(self) -> dict[str, Shape]:
        return self.inner.weights()

    def buffers(self) -> dict[str, Shape]:
        return self.inner.buffers()

    def work(self) -> Work:
        return self._of_all(self.inner.work())

    def extra_work(self) -> Work:
        return self._of_all(self.inner.extra_work())

    def _of_all(self, work: Work) -> Work:
        return {name: self.x[0] * count for name, count in work.items()}

    def backward(self) -> Backward:
        single = self.inner.backward()
        weights, inputs, inner = (self.x[0] * count for count in single[:3])
        return Backward(weights, inputs, inner, single.groups)

    def work_per_batch(self) -> Work:
        return self.inner.work_per_batch()

    def backward_per_batch(self) -> Backward:
        return self.inner.backward_per_batch()

    def models_memory(self) -> bool:
        return self.inner.models_memory()

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        saved = self._of_all_slices(self.inner.saved_tensors_for(self._of_slices(tensors)))
        if not self._copies(tensors) or not saved.input(0):
            return saved
        return replace(saved, inputs=False, elements=saved.elements + product(self.x))

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        found = self.inner.workspaces_for(self._of_slices(tensors))
        inference, training, backward = (
            tuple(map(self._of_all_slices, points)) for points in (found.inference, found.training, found.backward)
        )
        if self._copies(tensors):
            inner = self.inner.saved_tensors_for(self._of_slices(tensors)) if tensors.training else SavedTensors()
            own = self._of_all_slices(inner)
            amounts = (own.shared, own.bytes, own.shared_bytes, own.precise, own.shared_precise)
            made = Workspace(self.elements + own.elements, *amounts)
            inference, training = (
                tuple(replace(point, elements=point.elements + product(self.x)) for point in points or (made,))
                for points in (inference, training)
            )
        return Workspaces(inference, training, backward, found.frees)

    def _of_all_slices(self, single: _Memory) -> _Memory:
        """Return the memory of all slices from that of one."""
        slices = self.x[0]
        elements, size, precise = slices * single.elements, slices * single.bytes, slices * single.precise
        return replace(single, elements=elements, bytes=size, precise=precise)

    def _copies(self, tensors: InputTensors) -> bool:
        """Return True if the slices must be copied to be a batch."""
        return tensors.layouts[0].joined(2) is None

    def _of_slices(self, tensors: InputTensors) -> InputTensors:
        """Return the input as the inner operator takes it, with all slices as its batch."""
        gradient = None if tensors.gradient is None else _joined(tensors.gradient)
        return tensors._replace(layouts=(_joined(tensors.layouts[0]),), gradient=gradient)

    def placement(self, tensors: InputTensors) -> Placement:
        inner = self.inner.placement(self._of_slices(tensors))
        sizes = tensors.sizes(self.output)
        return Placement(inner.layout.viewed(sizes) or Layout.in_order(sizes), inner.is_view)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """That of all slices, seen as one of the input."""
        (found,) = self.inner.input_gradients(self._of_slices(tensors), _joined(gradient))
        if found is None:
            return (None,)
        sizes = tensors.layouts[0].sizes
        return (replace(found, layout=found.layout.viewed(sizes) or Layout.in_order(sizes), is_view=True),)

    def is_approximate(self, tensors: InputTensors) -> bool:
        return self.inner.is_approximate(self._of_slices(tensors))

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        inner = self.inner.copies_gradient(self._of_slices(tensors), _joined(gradient))
        return gradient.joined(2) is None or inner

    def computes_in_float32(self, tensors: InputTensors) -> bool:
        return self.inner.computes_in_float32(self._of_slices(tensors))

    def access(self) -> Access:
        return (SAME_POSITION, *self.inner.access())

    @property
    def overestimates(self) -> Mapping[str, str]:
        return self.inner.overestimates

    def linearized(self) -> Operator | None:
        linear = self.inner.linearized()
        if linear is None or linear is self.inner:
            return linear and self
        return type(self)(self.inputs, operator={linear.kind: None, **linear.given})

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((0,), *(tuple(axis + 1 for axis in axes) for axes in self.inner.axes()))

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        names = inputs[0]
        return (*names[:1], *self.inner.axis_names([names[1:]]))

    def hyperparameters(self) -> dict[str, Any]:
        return self.inner.hyperparameters()

    def torch(self) -> Torch:
        described = self.inner.torch()
        return Torch(f"archcalc.each({described.target})", described.args, described.kwargs, then=described.then)
