"""A stand-in for what archcalc cannot say: its numbers are given, not computed."""

from collections.abc import Sequence

from archcalc.arithmetic import Shape
from archcalc.ops.arguments import NamedShape, WholeAmount, option, required
from archcalc.ops.naming import AxisNames, names_of, usual_names
from archcalc.ops.operator import Operator
from archcalc.ops.shapes import checked_sizes
from archcalc.ops.vocabulary import WHOLE_AXIS, Access, Torch, Work, example


class StandIn(Operator):
    """Base of operators whose shape and work are given; all of their input is taken to be seen."""

    category = "opaque"
    has_linear = False
    tools_agree = False
    numbers_are_given = True
    most_inputs = None
    shape: NamedShape = required("the output's shape, the batch not counted")

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * len(self.shape)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        """As the shape says, else as the input's where it has as many axes."""
        given = names_of(self.shape)
        return given or (inputs[0] if len(inputs[0]) == len(self.shape) else usual_names(len(self.shape)))

    def accesses(self) -> tuple[Access, ...]:
        return tuple((WHOLE_AXIS,) * len(shape) for shape in self.inputs)


class Opaque(StandIn):
    """Anything, whose output's shape, parameters and multiply-adds are given; all of the input is taken to be seen."""

    kind = "opaque"
    synonyms = "custom unknown lambda placeholder"
    exactness = "opaque"
    params: WholeAmount = option(0, "trained numbers")
    macs: WholeAmount = option(0, "multiply-adds for one sample")
    examples = (example((4, 5, 6), shape=(8, 3, 3), params=1000, macs=5e6), example((7,), (3,), shape=(5,)))

    def output_shape(self) -> Shape:
        return checked_sizes(self.shape)

    def weights(self) -> dict[str, Shape]:
        return {"weight": (self.params,)} if self.params else {}

    def work(self) -> Work:
        return {"mac": self.macs}

    @property
    def work_is_known(self) -> bool:
        """True if the multiply-adds are given."""
        return "macs" in self.given

    def torch(self) -> Torch:
        return Torch("archcalc.Opaque", (self.shape, self.params))
