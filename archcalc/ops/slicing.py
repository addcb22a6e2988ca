"""Operators that take parts of an axis: slice, chunk, select."""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from archcalc.arithmetic import Dim, Shape, require
from archcalc.ops.arguments import AnyInteger, AxisIndex, Count, OptionalIndex, SizeList, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Placement
from archcalc.ops.operator import Operator
from archcalc.ops.reads import shifted
from archcalc.ops.reduction import Mean
from archcalc.ops.shaping import Shaping
from archcalc.ops.vocabulary import SAME_POSITION, WHOLE_AXIS, Access, GradientKind, Torch, example


class _Part(Shaping):
    """Some positions of one axis, as a view."""

    is_view = True
    axis: AxisIndex

    @abstractmethod
    def _bounds(self) -> tuple[Dim, Dim, Dim]:
        """Return the first position, the one after the last, and the step."""

    def placement(self, tensors: InputTensors) -> Placement:
        axis = self.axis_index(self.axis)
        _, _, step = self._bounds()
        return Placement(tensors.layouts[0].part(axis + 1, self.output[axis], step), is_view=True)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        """A tensor of the input's size with zeros, unless the part is the whole axis."""
        _, _, step = self._bounds()
        return (GradientKind.SAME if self.output == self.x and step == 1 else GradientKind.NEW,)

    def access(self) -> Access:
        start, _, step = self._bounds()
        axis = self.axis_index(self.axis)
        return tuple(shifted(start, step) if n == axis else SAME_POSITION for n in range(len(self.x)))

    def torch(self) -> Torch:
        return Torch("archcalc.Slice", (self.axis_index(self.axis) + 1, *self._bounds()))


class Slice(_Part):
    """Part of one axis, as Python slices it."""

    kind = "slice"
    moves_elements = True
    aten = "slice"
    onnx = "Slice Gather"
    synonyms = "narrow crop cropping2d strided_slice gather"
    axis: AxisIndex = option(0, "the axis, the batch not counted")
    start: AnyInteger = option(0, "first position")
    stop: OptionalIndex = option(None, "position after the last; the end if not given")
    step: Count = option(1, "step between positions")
    examples = (
        example((8, 5, 6), start=2, stop=6),
        example((8, 5, 6), axis=-1, start=1, step=2),
        example((8,), stop=-1),
    )

    def _bounds(self) -> tuple[Dim, Dim, Dim]:
        size = self.x[self.axis_index(self.axis)]
        start = self.start if self.start >= 0 else size + self.start
        stop = size if self.stop is None else self.stop if self.stop >= 0 else size + self.stop
        require(
            (start >= 0) & (start < stop) & (stop <= size),
            lambda: f"positions {start} to {stop} are not inside an axis of {size}",
        )
        return start, stop, self.step

    def changes_nothing(self) -> bool:
        return self.output == self.x

    def output_shape(self) -> Shape:
        start, stop, step = self._bounds()
        axis = self.axis_index(self.axis)
        return (*self.x[:axis], (stop - start + step - 1) // step, *self.x[axis + 1 :])

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        axis = call.axis(default=0)
        size = call.x.shape[axis]
        start, stop, step = slice(call.get("start"), call.get("end"), call.get("step", 1)).indices(size)
        return _slice(axis, start, stop, step, size)

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """A slice of one axis, of which an importer makes several for several axes; or positions in a row."""
        axis = call.axis("axis", 0)
        if call.operation == "Gather":
            places = call.arguments["indices"]
            first = places[0] % call.x.shape[axis]
            is_slice = places == list(range(places[0], places[0] + len(places)))
            return {"axis": axis, "start": first, "stop": first + len(places)} if is_slice else None
        start, stop, step = (call.arguments[name] for name in ("start", "stop", "step"))
        return _slice(axis, start, stop, step, call.x.shape[axis])


def _slice(axis: int, start: int, stop: int, step: int, size: int) -> dict[str, Any]:
    """Return the arguments of a slice of an axis of that size, without an end or a step that are the defaults."""
    end = {"stop": stop} if stop != size else {}
    return {"axis": axis, "start": start, **end, **({"step": step} if step != 1 else {})}


class Chunk(_Part):
    """One of the equal parts of an axis."""

    kind = "chunk"
    moves_elements = True
    aten = "chunk"
    chunks: Count = required("number of parts")
    index: AnyInteger = option(0, "which part, from 0")
    axis: AxisIndex = option(0, "the axis, the batch not counted")
    examples = (example((8, 5, 6), chunks=2, index=1), example((4, 9), chunks=3, axis=-1))

    def output_shape(self) -> Shape:
        axis = self.axis_index(self.axis)
        size = self.x[axis]
        require(size % self.chunks == 0, lambda: f"{self.chunks} chunks do not divide an axis of {size}")
        require((self.index >= 0) & (self.index < self.chunks), lambda: f"there is no chunk {self.index}")
        return (*self.x[:axis], size // self.chunks, *self.x[axis + 1 :])

    def _bounds(self) -> tuple[Dim, Dim, Dim]:
        size = self.output[self.axis_index(self.axis)]
        return self.index * size, (self.index + 1) * size, 1

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"chunks": call.arguments["chunks"], "index": call.item, "axis": call.axis(default=0)}


class Split(_Part):
    """One part of an axis that is cut into parts of given sizes."""

    kind = "split"
    moves_elements = True
    aten = "split split_with_sizes tensor_split chunk"
    onnx = "Split"
    synonyms = "split_with_sizes"
    sizes: SizeList = required("sizes of the parts, which make up the whole axis")
    index: AnyInteger = option(0, "which part, from 0")
    axis: AxisIndex = option(0, "the axis, the batch not counted")
    examples = (example((8, 5, 6), sizes=(3, 5), index=1), example((4, 9), sizes=(2, 3, 4), axis=-1))

    def output_shape(self) -> Shape:
        axis, sizes, index = self.axis_index(self.axis), self.sizes, self.index
        require(all(size > 0 for size in sizes), lambda: f"sizes must be above 0: {', '.join(map(str, sizes))}")
        require(
            sum(sizes) == self.x[axis],
            lambda: f"the sizes {' + '.join(map(str, sizes))} are not the {self.x[axis]} positions of axis {axis}",
        )
        require(0 <= index < len(sizes), lambda: f"there is no part {index}; parts run from 0 to {len(sizes) - 1}")
        return (*self.x[:axis], sizes[index], *self.x[axis + 1 :])

    def _bounds(self) -> tuple[Dim, Dim, Dim]:
        start = sum(self.sizes[: self.index])
        return start, start + self.sizes[self.index], 1

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        axis = call.axis(default=0)
        whole = call.x.shape[axis]
        if call.operation == "tensor_split":
            count = call.get("sections", 1)
            ends = call.get("indices", [-(-whole * part // count) for part in range(1, count)])
            sizes = [end - start for start, end in pairwise([0, *ends, whole])]
        elif call.operation == "chunk":
            sizes = -(-whole // call.arguments["chunks"])
        else:
            sizes = call.get("split_sizes", call.get("split_size"))
        if isinstance(sizes, int):
            sizes = [min(sizes, whole - start) for start in range(0, whole, sizes)]
        return {"sizes": tuple(sizes), "index": call.item, "axis": axis}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        axis = call.axis("axis", 0)
        sizes, whole = call.get("split"), call.x.shape[axis]
        if sizes is None:
            each = -(-whole // call.arguments["num_outputs"])
            sizes = [min(each, whole - start) for start in range(0, whole, each)]
        return {"sizes": tuple(sizes), "index": call.item, "axis": axis}


class Select(Shaping):
    """One position of an axis, which is then gone: the token of the class, the last state."""

    kind = "select"
    moves_elements = True
    aten = "select unbind"
    onnx = "Gather"
    synonyms = "gather_one index_select"
    is_view = True
    index: AnyInteger = option(0, "which position; negative ones count from the end")
    axis: AxisIndex = option(0, "the axis, the batch not counted")
    examples = (example((7, 12)), example((4, 5, 6), index=-2, axis=1), example((3, 4), axis=-1))

    def resolved(self) -> dict[str, Any]:
        size = self.x[self.axis_index(self.axis)]
        require((-size <= self.index) & (self.index < size), lambda: f"there is no position {self.index} of {size}")
        return {"index": self.index if self.index >= 0 else self.index + size}

    def output_shape(self) -> Shape:
        axis = self.axis_index(self.axis)
        return (*self.x[:axis], *self.x[axis + 1 :])

    def placement(self, tensors: InputTensors) -> Placement:
        axis = self.axis_index(self.axis)
        layout = tensors.layouts[0].part(axis + 1, 1).viewed(tensors.sizes(self.output))
        return Placement(layout, is_view=True) if layout is not None else super().placement(tensors)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        """A tensor of the input's size with zeros."""
        return (GradientKind.NEW,)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        axis = self.axis_index(self.axis)
        return tuple((kept,) for kept in range(len(self.x)) if kept != axis)

    def access(self) -> Access:
        axis = self.axis_index(self.axis)
        return tuple(WHOLE_AXIS if own == axis else SAME_POSITION for own in range(len(self.x)))

    @property
    def overestimates(self) -> Mapping[str, str]:
        """Along the axis that is gone, one position is read."""
        return {"channels" if self.axis_index(self.axis) == 0 else "positions": "one position of the axis is read"}

    def linearized(self) -> Operator:
        return Mean(self.inputs, over=self.axis_index(self.axis))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {
            "index": call.item if call.operation == "unbind" else call.arguments["index"],
            "axis": call.axis(default=0),
        }

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """One position of an axis."""
        index = call.arguments["indices"]
        return {"index": index, "axis": call.axis("axis", 0)} if isinstance(index, int) else None

    def torch(self) -> Torch:
        return Torch("torch.select", (self.axis_index(self.axis) + 1, self.index))
