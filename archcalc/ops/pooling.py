"""Pooling with windows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archcalc.arithmetic import Dim, Shape, ceil_div, decided, minimum, product, require
from archcalc.ops.arguments import Bool, Extent, SameOffsets, option, required
from archcalc.ops.calls import Call
from archcalc.ops.convolution import Conv
from archcalc.ops.layout import InputTensors, Layout, Order, Placement
from archcalc.ops.onnx_calls import pooling_window
from archcalc.ops.operator import Operator
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    GRADIENT,
    SAME_POSITION,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    compact,
    example,
)
from archcalc.ops.windows import check_pool_padding, same_padding, sides, window_access, window_count
from archcalc.structs import replace

if TYPE_CHECKING:
    from archcalc.ops.tape.tape import Tape
    from archcalc.ops.tape.tensors import TapeTensor


def pool_count(n: Dim, k: Dim, stride: Dim, padding: Dim, dilation: Dim, ceil_mode: bool) -> Dim:
    """Return the number of pooling windows along one dimension.

    With ``ceil_mode``, a window that is only partly inside counts, except a last window that would start in the padding
    after the input: PyTorch's ``pooling_output_shape``.
    """
    if not ceil_mode:
        return window_count(n, k, stride, (padding, padding), dilation)
    extent = dilation * (k - 1) + 1
    room = n + 2 * padding
    require(
        room + stride - 1 >= extent,
        lambda: f"the kernel spans {extent} but the padded input only {room}, too little for one window",
    )
    windows = ceil_div(room - extent, stride) + 1
    if not decided(stride + padding <= extent):  # else no window starts so late
        windows = minimum(windows, ceil_div(n + padding, stride))
    return windows


def largest_work(windows: Dim, taps: Dim) -> Work:
    """Return the work of taking the largest of ``taps`` numbers for each window."""
    return {"compare": windows * (taps - 1)}


def average_work(windows: Dim, taps: Dim) -> Work:
    """Return the work of averaging ``taps`` numbers for each window."""
    return {"add": windows * (taps - 1), "div": windows}


class ComputedIn2d(Operator):
    """A pool that PyTorch computes with two spatial dimensions if there is only one."""

    memory_order = Order.IMAGE
    needs_images = True
    margins: tuple[tuple[Dim, Dim], ...] = ()
    """What padding `same` puts before and after each side of the input; else empty."""

    def placement(self, tensors: InputTensors) -> Placement:
        return Placement(self._ordered(tensors, tensors.sizes(self.output)))

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        layout = self._ordered(tensors, tensors.layouts[0].sizes)
        return (InputGradient(GradientKind.NEW, layout, is_view=self.rank == 1),)

    def _ordered(self, tensors: InputTensors, sizes: Shape) -> Layout:
        """Return the layout of what is computed of the input; a sequence is an image of one row."""
        given = tensors.layouts[0]
        if self.rank != 1:
            return self.memory_order.of([given], sizes)
        (*_, length), (*outer, step) = given.sizes, given.strides
        row = Layout((*given.sizes[:-1], 1, length), (*outer, length * step, step))
        if self.margins or not row.is_channels_last:
            return Layout.in_order(sizes)
        return Layout.exchanged(sizes, 1, 2)


class KeepsPlaces(Operator):
    """Max pooling, which always computes the place of each largest element, and saves it."""

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=True, bytes=8 * self.elements)

    def workspaces(self) -> Workspaces:
        return Workspaces(inference=(Workspace(self.elements, bytes=8 * self.elements),))


class _WindowPool(ComputedIn2d):
    """A window that slides over every channel."""

    category = "pooling"
    kernel: Extent = required("size of the window")
    stride: Extent = option(lambda op: op.kernel, "step between windows; the kernel's size if not given")
    padding: SameOffsets = option(
        0, "rows and columns around the input, at most half the kernel; or same (TensorFlow's), or valid"
    )
    dilation: Extent
    ceil_mode: Bool = option(False, "keep a last window that is only partly inside")
    aten_arguments = {"ceil_mode": "ceil_mode"}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {**call.window("kernel", "stride", "padding", "dilation"), **cls.named(call, cls.aten_arguments)}

    def resolved(self) -> dict[str, Any]:
        """`same` and `valid` as the amounts that they mean here."""
        if self.padding not in ("same", "valid"):
            return {"margins": ()}
        self.need_spatial()
        margins = same_padding(self.x[1:], self.kernel, self.stride, self.dilation) if self.padding == "same" else ()
        return {"padding": (0,) * self.rank, "margins": margins}

    def _padded(self) -> Shape:
        """Return the sizes of the input's sides with its margins."""
        margins = self.margins or ((0, 0),) * self.rank
        return tuple(n + before + after for n, (before, after) in zip(self.x[1:], margins, strict=True))

    def _padded_elements(self) -> Dim:
        """Return the elements of the input with its margins."""
        return self.channels_in * product(self._padded())

    def extra_work(self) -> Work:
        """``padded``: elements that a pooling with margins reads."""
        return {"padded": self._padded_elements()}

    def backend(self, name: str, kwargs: dict[str, Any]) -> Torch:
        """Return the module of that name, or with margins the one that puts them around its input first."""
        if not self.margins:
            return Torch(f"nn.{name}{self.rank}d", (), kwargs)
        return Torch(f"archcalc.Padded{name}{self.rank}d", (), {**kwargs, "padding": self.margins})

    def output_shape(self) -> Shape:
        self.need_spatial()
        for k, p in zip(self.kernel, self.padding, strict=True):
            check_pool_padding(k, p)
        sizes = [
            pool_count(n, k, s, p, d, self.ceil_mode)
            for n, k, s, p, d in zip(self._padded(), self.kernel, self.stride, self.padding, self.dilation, strict=True)
        ]
        return (self.channels_in, *sizes)

    def access(self) -> Access:
        padding = self.margins or tuple((p, p) for p in self.padding)
        return (SAME_POSITION, *window_access(self.kernel, self.stride, padding, self.dilation))

    def _torch_arguments(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = {"kernel_size": compact(self.kernel), "stride": compact(self.stride)}
        return kwargs | self.changed("ceil_mode") if self.margins else kwargs | self.changed("padding", "ceil_mode")

    def hyperparameters(self) -> dict[str, Any]:
        padding = tuple(map(sides, self.margins)) or self.padding
        return {"kernel": self.kernel, "stride": self.stride, "padding": padding}


class MaxPool(_WindowPool, KeepsPlaces):
    """The largest number of each window; padding never wins."""

    kind = "max_pool"
    float32_ranks = (3,)
    aten = "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices"
    onnx = "MaxPool"
    synonyms = "maxpool maxpool1d maxpool2d maxpool3d max_pooling max_pooling2d maxpooling2d pool pooling"
    dilation: Extent = option(1, "step between the window's taps")
    examples = (
        example((64, 56, 56), kernel=3, stride=2),
        example((4, 13, 14), kernel=(2, 3), padding=(1, 0), ceil_mode=True),
        example((3, 6, 6), kernel=3, stride=2, ceil_mode=True),
        example((3, 5, 5), kernel=2, stride=3, padding=1, ceil_mode=True),
        example((3, 15, 12), kernel=3, stride=1, dilation=(2, 1)),
        example((4, 17), kernel=3, stride=2, padding=1),
        example((2, 8, 9, 10), kernel=2),
        example((4, 9, 8), kernel=3, stride=2, padding="same"),
    )

    def linearized(self) -> Operator:
        """A sum over each window: a depthwise convolution, padded so that it has as many windows."""
        amounts = self.margins or [
            (p, max(0, (m - 1) * s + d * (k - 1) + 1 - n - p))
            for n, m, k, s, p, d in zip(
                self.x[1:], self.output[1:], self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        ]
        channels = self.channels_in
        window: dict[str, Any] = {"kernel": self.kernel, "stride": self.stride, "dilation": self.dilation}
        return Conv(self.inputs, **window, channels=channels, groups=channels, padding=amounts, bias=False)

    def work(self) -> Work:
        return largest_work(self.elements, product(self.kernel))

    def saved_tensors(self) -> SavedTensors:
        """The input, or a copy with its margins; the places of the largest numbers."""
        padded = self._padded_elements() if self.margins else 0
        return SavedTensors(inputs=not self.margins, elements=padded, bytes=8 * self.elements)

    def placement(self, tensors: InputTensors) -> Placement:
        """A sequence is an image of one row only where a gradient is needed."""
        if self.rank == 1 and not any(tensors.needs_gradient):
            return Placement(Layout.in_order(tensors.sizes(self.output)))
        return super().placement(tensors)

    def workspaces(self) -> Workspaces:
        """Margins need a copy of the input; backward, its gradient, then that of the input beside it."""
        if not self.margins:
            return super().workspaces()
        elements, padded, places = self.elements, self._padded_elements(), 8 * self.elements
        return Workspaces(
            inference=(Workspace(elements + padded, bytes=places),),
            backward=(Workspace(padded), Workspace(product(self.x), bytes=-places)),
            frees=((GRADIENT, 1),),
        )

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return None if call.item else pooling_window(call)

    def torch(self) -> Torch:
        return self.backend("MaxPool", self._torch_arguments() | self.changed("dilation"))


class AvgPool(Taped, _WindowPool):
    """The average of each window."""

    kind = "avg_pool"
    float32_ranks = (3,)
    aten = "avg_pool1d avg_pool2d avg_pool3d"
    aten_arguments = {"ceil_mode": "ceil_mode", "count_include_pad": "count_include_pad"}
    onnx = "AveragePool"
    synonyms = "avgpool avgpool1d avgpool2d avgpool3d average_pool averagepool average_pooling2d averagepooling2d"
    saved = SavedTensors(inputs=True)
    count_include_pad: Bool = option(True, "let padding zeros take part in the average; those of padding same never do")
    examples = (
        example((6, 28, 28), kernel=2),
        example((4, 13, 14), kernel=3, stride=2, padding=1, count_include_pad=False),
        example((4, 11, 10), kernel=(3, 2), stride=2, ceil_mode=True),
        example((4, 17), kernel=4, stride=3),
        example((2, 8, 9, 10), kernel=(2, 3, 2), padding=1),
        example((4, 9, 8), kernel=(3, 2), stride=2, padding="same"),
    )

    def takes_steps(self, tensors: InputTensors) -> bool:
        return bool(self.margins)

    def program(self, tensors: InputTensors) -> Program:
        """A map of ones and the input are pooled, both with margins, and divided."""
        batch = tensors.layouts[0].sizes[0]
        sides, padded, windows = product(self.x[1:]), product(self._padded()), product(self.output[1:])
        maps = batch * self.channels_in

        def program(tape: "Tape", inputs: Sequence["TapeTensor"]) -> "TapeTensor":
            ones = tape.new(sides)
            around = tape.new(padded)
            inside = tape.new(windows)
            del ones, around
            x = tape.compute(inputs[0], maps * padded)
            pooled = tape.compute(x, maps * windows, saves=[x])
            del x
            return tape.compute(pooled, saves=[inside])

        return program

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """That of an input with margins is cut out of theirs."""
        found = super().input_gradients(tensors, gradient)
        return tuple(own and replace(own, is_view=own.is_view and not self.margins) for own in found)

    @property
    def dilation(self) -> Shape:  # type: ignore[override]
        return (1,) * self.rank

    def output_shape(self) -> Shape:
        if self.rank == 3:  # PyTorch's avg_pool3d looks at the input before its padding, the others after it
            for size, kernel in zip(self._padded(), self.kernel, strict=True):
                require(
                    size >= kernel,
                    lambda size=size, kernel=kernel: (  # type: ignore[misc]
                        f"in three dimensions the kernel, {kernel}, cannot be larger than the input, {size}, "
                        "without its padding, as in PyTorch"
                    ),
                )
        return super().output_shape()

    def work(self) -> Work:
        return average_work(self.elements, product(self.kernel))

    def extra_work(self) -> Work:
        """One more channel is pooled, of ones: how many of each window's places are inside."""
        return {"padded": (self.channels_in + 1) * product(self._padded())}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return super().from_aten(call) if call.get("divisor_override") is None else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        counted = bool(call.get("count_include_pad", 0))
        return {**pooling_window(call), "count_include_pad": counted}

    def torch(self) -> Torch:
        counted = {} if self.margins else self.changed("count_include_pad")
        return self.backend("AvgPool", self._torch_arguments() | counted)
