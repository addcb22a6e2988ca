"""What the classes of operators say to importers: which calls of PyTorch and ONNX they are."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from archcalc.ops.arguments import Axis, ListOf
from archcalc.ops.calls import Call, Operand
from archcalc.ops.declaring import Argument


class Importable:
    """What an operator has to be imported; an operator that is not named in `aten` or `onnx` is not."""

    arguments: ClassVar[dict[str, Argument]] = {}
    aten: ClassVar[str] = ""
    """The operations of PyTorch that it may be, without overload and trailing underscore: `conv1d conv2d conv3d`."""
    onnx: ClassVar[str] = ""
    """The operations of ONNX that it may be."""
    aten_arguments: ClassVar[Mapping[str, str]] = {}
    """Its arguments to those of PyTorch's operations that hold them, where `from_aten` adds nothing."""
    onnx_arguments: ClassVar[Mapping[str, str]] = {}
    """Its arguments to those of ONNX's operations that hold them, where `from_onnx` adds nothing."""
    onnx_names: ClassVar[Mapping[str, str]] = {}
    """Its names of weights and buffers to ONNX's names of the inputs that hold them."""
    needs_images: ClassVar[bool] = False
    """True if a call is not its own unless the batch is the first axis, and nothing else."""

    @classmethod
    def named(cls, call: Call, names: Mapping[str, str]) -> dict[str, Any]:
        """Return those of its arguments that a call gives, from its own names to the call's; axes without the batch."""
        found = {}
        for own, name in names.items():
            if call.get(name) is not None:
                type_ = cls.arguments[own].type
                is_list = isinstance(type_, ListOf) and isinstance(type_.item, Axis)
                read = call.axes if is_list else call.axis if isinstance(type_, Axis) else call.get
                found[own] = read(name)
        return found

    @classmethod
    def from_aten(cls, call: Call) -> Mapping[str, Any] | None:
        """Return the arguments with which it is a call of one of `aten`; None if it is not that call.

        It may raise `ShapeError` too. Its inputs are the call's computed tensors, its weights the stored ones of the
        same names, unless `call_inputs` and `call_weights` say otherwise.
        """
        return cls.named(call, cls.aten_arguments)

    @classmethod
    def from_onnx(cls, call: Call) -> Mapping[str, Any] | None:
        """Return the arguments with which it is a call of one of `onnx`; None if it is not that call."""
        return cls.named(call, cls.onnx_arguments)

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        """Return the computed tensors that it takes."""
        return call.operands

    def changes_nothing(self) -> bool:
        """Return True if it gives its first input again, so that an imported network can leave it out."""
        return False
