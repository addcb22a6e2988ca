"""The shapes of an operator's inputs and of its output."""

from typing import ClassVar

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.vocabulary import shape_text


def check_groups(groups: Dim, count: Dim, what: str) -> None:
    """Raise `ShapeError` unless the groups divide so many channels."""
    require(count % groups == 0, lambda: f"groups {groups} do not divide the {count} {what}")


def checked_sizes(sizes: Shape) -> Shape:
    """Return a shape. Raises `ShapeError` unless it has an axis and every size is above 0."""
    require(len(sizes) > 0 and all(size > 0 for size in sizes), lambda: f"sizes must be above 0: {shape_text(sizes)}")
    return sizes


class BoundShapes:
    """What an operator knows of the shapes that it is bound to."""

    kind: ClassVar[str]
    """The operator's name in a spec."""
    inputs: tuple[Shape, ...]
    """Shapes of the inputs, per sample."""
    output: Shape

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0]

    @property
    def channels_in(self) -> Dim:
        """The size of the first input's first axis."""
        self.need_axis()
        return self.inputs[0][0]

    @property
    def rank(self) -> int:
        """Number of spatial dimensions of the first input."""
        return len(self.inputs[0]) - 1

    def axis_index(self, axis: int) -> int:
        """Return an axis as a number from 0; negative ones count from the end, as in PyTorch."""
        axes = len(self.x)
        require(-axes <= axis < axes, lambda: f"axis {axis} is not one of {shape_text(self.x)}")
        return axis % axes

    def need_axis(self) -> None:
        """Raise `ShapeError` if the input is a single number."""
        require(len(self.x) > 0, lambda: f"{self.kind} needs an input with an axis, got a single number")

    def need_spatial(self) -> None:
        """Raise `ShapeError` unless the input has one to three spatial dimensions."""
        require(
            1 <= self.rank <= 3,
            lambda: f"{self.kind} needs an input [C, L], [C, H, W] or [C, D, H, W], got {shape_text(self.x)}",
        )

    def need_groups(self, groups: Dim) -> None:
        """Raise `ShapeError` unless the groups divide the channels."""
        check_groups(groups, self.channels_in, "channels")

    @property
    def elements(self) -> Dim:
        """Number of elements of the output, per sample."""
        return product(self.output)
