"""Positions in reverse order."""

from archcalc.arithmetic import Shape, require
from archcalc.ops.arguments import Axes, option
from archcalc.ops.layout import Order
from archcalc.ops.reads import shifted
from archcalc.ops.shaping import Shaping
from archcalc.ops.vocabulary import SAME_POSITION, Access, Torch, example


class Flip(Shaping):
    """Axes backwards, as in test-time augmentation and bidirectional scans."""

    kind = "flip"
    memory_order = Order.INPUTS
    moves_elements = True
    aten = "flip"
    aten_arguments = {"over": "dims"}
    synonyms = "reverse fliplr flipud"
    over: Axes = option((-1,), "the axes, the batch not counted")
    examples = (example((4, 5, 6)), example((4, 7), over=(0, 1)), example((3, 4, 5), over=1))

    def output_shape(self) -> Shape:
        turned = [self.axis_index(axis) for axis in self.over]
        require(len({*turned}) == len(turned), lambda: f"flip turns each axis once, got {self.over}")
        return self.x

    def access(self) -> Access:
        """One position: the first reads the last."""
        turned = {self.axis_index(axis) for axis in self.over}
        return tuple(shifted(n - 1, -1) if axis in turned else SAME_POSITION for axis, n in enumerate(self.x))

    def torch(self) -> Torch:
        return Torch("torch.flip", (tuple(self.axis_index(axis) + 1 for axis in self.over),))
