"""Operators that PyTorch computes in several steps, whose memory a program on a tape tells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from archcalc.ops.layout import InputTensors
from archcalc.ops.memory_rules import MemoryRules
from archcalc.ops.vocabulary import InputGradient, SavedTensors, Workspaces

if TYPE_CHECKING:
    from archcalc.ops.tape.recording import TapedMemory
    from archcalc.ops.tape.tape import Tape
    from archcalc.ops.tape.tensors import TapeTensor

Program = Callable[["Tape", Sequence["TapeTensor"]], "TapeTensor"]
"""From a tape and the inputs on it to the output."""


class Taped(MemoryRules):
    """The memory of an operator that PyTorch computes in several steps, for all inputs or for some."""

    @abstractmethod
    def program(self, tensors: InputTensors) -> Program:
        """Return the steps that PyTorch takes for inputs with these layouts; the batch is their first axis."""

    def takes_steps(self, tensors: InputTensors) -> bool:
        """Return True if PyTorch takes these steps for such inputs; False if one kernel computes all."""
        return True

    def recorded(self, tensors: InputTensors, training: bool) -> TapedMemory:
        """Return the memory of the program's run."""
        from archcalc.ops.tape.recording import record

        return record(self.program(tensors), tensors, training)

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        if not self.takes_steps(tensors):
            return self.saved_by_kernel(tensors)
        from archcalc.ops.tape.recording import run_once

        return run_once(self.recorded, tensors, True).saved

    def saved_by_kernel(self, tensors: InputTensors) -> SavedTensors:
        """Return what autograd saves if one kernel computes all."""
        assert self.saved is not None
        return self.saved

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        if not self.takes_steps(tensors):
            return super().workspaces_for(tensors)
        from archcalc.ops.tape.recording import workspaces_on_tape

        return workspaces_on_tape(self.recorded, tensors)

    def gradients_on_tape(self, tensors: InputTensors) -> tuple[InputGradient | None, ...]:
        """Return the gradient of each input as the program leaves it; None if there is none, or a part of another's."""
        from archcalc.ops.tape.recording import run_once

        return run_once(self.recorded, tensors, True).gradients
