"""Operators that act only in training: at inference they are the identity, and free."""

from typing import Any

from archcalc.arithmetic import Shape
from archcalc.ops.arguments import Bool, Rate, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Order, Placement
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import GradientKind, SavedTensors, Torch, Work, Workspace, Workspaces, example


class _TrainingOnly(Operator):
    category = "regularization"
    memory_order = Order.INPUTS
    is_view = True
    p: Rate

    def output_shape(self) -> Shape:
        return self.x

    def work(self) -> Work:
        """Nothing at inference."""
        return {}

    @property
    def is_view_in_training(self) -> bool:
        """True if its output in training is its input too."""
        return self.p == 0

    def placement(self, tensors: InputTensors) -> Placement:
        if self.is_view_in_training or not tensors.training:
            return Placement(tensors.layouts[0], is_view=True, is_same=True)
        return super().placement(tensors)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME if self.is_view_in_training else GradientKind.NEW,)


class Dropout(_TrainingOnly):
    """Zero each element with probability ``p`` while training (Srivastava et al., 2014)."""

    kind = "dropout"
    aten = "dropout feature_dropout"
    onnx = "Dropout"
    synonyms = "dropout1d dropout2d dropout3d spatial_dropout2d"
    p: Rate = option(0.5, "probability of a zero")
    channels: Bool = option(False, "zero whole channels, as in Dropout2d")
    examples = (example((4096,)), example((4, 5, 6), p=0.1, channels=True), example((7,), channels=True))

    def saved_tensors(self) -> SavedTensors:
        if self.p == 1:  # one zero for all elements
            return SavedTensors(shared=1)
        mask = self.x[0] if self.channels and self.rank > 0 else self.elements
        return SavedTensors() if self.p == 0 else SavedTensors(elements=mask)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"p": call.get("p", 0.5)} | ({"channels": True} if call.operation != "dropout" else {})

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.item or call.get("training_mode"):
            return None
        return {"p": call.get("ratio", 0.5)}

    def torch(self) -> Torch:
        # A vector's channels are its elements.
        name = f"nn.Dropout{self.rank}d" if self.channels and self.rank > 0 else "nn.Dropout"
        return Torch(name, (float(self.p),))


class StochasticDepth(_TrainingOnly):
    """Drop a residual branch of a sample with probability ``p`` while training (Huang et al., 2016)."""

    kind = "stochastic_depth"
    torch_name = "archcalc.StochasticDepth"
    torch_arguments = ("p",)
    synonyms = "droppath drop_path drop_connect"
    p: Rate = required("probability of dropping the branch")
    examples = (example((4, 5, 6), p=0.2),)

    @property
    def survival(self) -> float:
        return 1 - self.p

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors() if self.p == 0 else SavedTensors(elements=1)

    def workspaces(self) -> Workspaces:
        """A random number for each sample, and the same divided by the probability of survival."""
        return Workspaces() if self.p in (0, 1) else Workspaces(training=(Workspace(self.elements + 2),))


class Identity(_TrainingOnly):
    """The input, unchanged."""

    kind = "identity"
    torch_name = "nn.Identity"
    moves_elements = True
    synonyms = "noop no_op pass"
    category = "shape"
    saved = SavedTensors()
    examples = (example((4, 5, 6)),)

    @property
    def is_view_in_training(self) -> bool:
        return True
