"""Windows that move over positions: how many there are, what they read, and what is around the input.

Sizes: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, 2016, with dilation.
"""

from archcalc.arithmetic import Dim, Shape, ceil_div, maximum, require
from archcalc.ops.reads import PaddingMode, Reads, window


def window_count(size: Dim, kernel: Dim, stride: Dim, padding: tuple[Dim, Dim], dilation: Dim) -> Dim:
    """Return how many positions a window has along one dimension: the output size of convolution and pooling.

    ``floor((n − (dilation·(kernel − 1) + 1) + before + after) / stride) + 1``
    """
    extent = dilation * (kernel - 1) + 1
    padded = size + (padding[0] + padding[1])
    require(
        padded >= extent,
        lambda: (
            f"the kernel spans {extent} but the padded input only {padded} (input {size}, padding {sides(padding)})"
        ),
    )
    return (padded - extent) // stride + 1


def sides(padding: tuple[Dim, Dim]) -> str:
    """Return a padding as people write it: `2` if both sides are equal, else `0+1`."""
    return str(padding[0]) if padding[0] == padding[1] else f"{padding[0]}+{padding[1]}"


def window_access(
    kernel: Shape, stride: Shape, padding: tuple[tuple[Dim, Dim], ...], dilation: Shape
) -> tuple[Reads, ...]:
    """Return what convolution and pooling read along each spatial dimension."""
    return tuple(
        window(k, s, before, d) for k, s, (before, _), d in zip(kernel, stride, padding, dilation, strict=True)
    )


def same_padding(sizes: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[tuple[Dim, Dim], ...]:
    """Return the padding for ``ceil(size / stride)`` windows, as TensorFlow's `SAME`.

    The larger part of an odd amount is after.
    """
    totals = []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        extent = d * (k - 1) + 1
        totals.append(extent - 1 if s == 1 else maximum((ceil_div(n, s) - 1) * s + extent - n, 0))
    return tuple((total // 2, total - total // 2) for total in totals)


def check_pool_padding(kernel: Dim, padding: Dim) -> None:
    """Raise `ShapeError` if the padding of a pooling is too large, whatever the dilation, as in PyTorch."""
    require(2 * padding <= kernel, lambda: f"padding {padding} is more than half the kernel {kernel}")


EDGES = {"reflect": PaddingMode.MIRRORED, "replicate": PaddingMode.REPEATED, "circular": PaddingMode.WRAPPED}
"""What a window reads in padding of that name; in any other a constant."""


def check_edge(mode: str, size: Dim, padding: tuple[Dim, Dim]) -> None:
    """Raise `ShapeError` if an axis of this size has too few positions for padding of this mode."""
    most = {"reflect": size - 1, "circular": size}.get(mode)
    require(
        most is None or ((padding[0] <= most) & (padding[1] <= most)),
        lambda: f"{mode} cannot add more positions than the input has, which is {size}",
    )
