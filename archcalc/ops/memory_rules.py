"""What operators say of their memory: where results are, what autograd saves, and what is used while they run."""

from typing import Any, ClassVar

from archcalc.errors import UserError
from archcalc.ops.layout import InputTensors, Layout, Order, Placement
from archcalc.ops.shapes import BoundShapes
from archcalc.ops.vocabulary import GradientKind, InputGradient, SavedTensors, Workspaces
from archcalc.structs import replace


class MemoryRules(BoundShapes):
    """The memory of an operator; without `saved` or `saved_tensors` it is not modelled."""

    ignores_numbers: ClassVar[bool] = False
    """True if it uses nothing of its input but the number of samples."""
    is_view: ClassVar[bool] = False
    """True if its output at inference is a view of its input."""
    memory_order: ClassVar[Order] = Order.OWN
    """The order of its output's axes in memory. The gradient of an input is ordered as the input decides."""
    weight_gradients_are_views: ClassVar[bool] = False
    """True if the gradients of its weights are views of computed tensors (`InputGradient.is_view`)."""
    uncast_weights: ClassVar[tuple[str, ...]] = ()
    """Names of weights that autocast leaves as they are, because no product takes them."""
    saved: ClassVar[SavedTensors | None] = None
    """What autograd saves, if it does not depend on arguments; see `saved_tensors`."""
    can_overwrite: ClassVar[bool] = False
    """True if its module can write its output over its input (PyTorch's `inplace=True`)."""
    fused_into: ClassVar[frozenset[str]] = frozenset()
    """ONNX operators whose kernel in ONNX Runtime computes this one too, if it takes their result."""

    def models_memory(self) -> bool:
        """Return True if the operator says what autograd saves; if not, only its output and weights are known."""
        rules = (MemoryRules.saved_tensors, MemoryRules.saved_tensors_for)
        return self.saved is not None or (type(self).saved_tensors, type(self).saved_tensors_for) != rules

    def saved_tensors(self) -> SavedTensors:
        """Return what autograd saves for the backward pass, if it is the same for all inputs."""
        if self.saved is None:
            raise UserError(f"memory of {self.kind} is not modelled: it does not say what autograd saves")
        return self.saved

    def workspaces(self) -> Workspaces:
        """Return the memory that it uses while it runs on a CPU, beside its results."""
        return Workspaces()

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        """Return the storage of each input's gradient."""
        return (GradientKind.NEW,) * len(self.inputs)

    # -- the same, where it depends on the inputs' layouts or on which of them need a gradient

    def placement(self, tensors: InputTensors) -> Placement:
        """Return where the output is in memory; by default in a new storage."""
        return Placement(self.memory_order.of(tensors.layouts, tensors.sizes(self.output)))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """Return what autograd saves for the backward pass, for these inputs."""
        return self.saved_tensors()

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Return the memory that it uses while it runs, for these inputs.

        By default, `Workspaces.backward` is needed only for gradients of inputs.
        """
        workspaces = self.workspaces()
        return workspaces if any(tensors.needs_gradient) else replace(workspaces, backward=())

    @property
    def may_use_more_memory(self) -> bool:
        """True if PyTorch may use more memory than the rules say."""
        return False

    def is_approximate(self, tensors: InputTensors) -> bool:
        """Return True if the peaks are not exact to the byte."""
        return False

    def early_gradients(self, tensors: InputTensors) -> tuple[int, ...]:
        """Return the numbers of inputs whose gradients are added to others before the backward pass ends."""
        return ()

    def computes_in_float32(self, tensors: InputTensors) -> bool:
        """Return True if 2-byte numbers are computed in 4-byte tensors."""
        return False

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        """Return True if its weights' gradients come one after another: shared ones are added early."""
        return False

    def copied_weight_gradients(self, tensors: InputTensors) -> Any:
        """Return the elements of weight gradients that are copied into the layout of the weights."""
        return 0

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        """Return True if the backward pass begins with a copy of its output's gradient in another layout."""
        return False

    def differentiates(self, position: int) -> bool:
        """Return True if the output has a gradient with respect to the input at this position."""
        return not self.ignores_numbers

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """Return the gradient of each input, from the layout of the output's gradient.

        None for an input whose gradient is part of another input's, which is the same tensor.
        """
        return tuple(
            InputGradient(
                kind, gradient if kind is GradientKind.SAME else self.memory_order.of([layout, gradient], layout.sizes)
            )
            for kind, layout in zip(self.gradient_kinds(), tensors.layouts, strict=True)
        )
