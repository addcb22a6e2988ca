"""Fully connected layers and lookup tables."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.layout import Given, Layout
from archcalc.ops.operator import (
    SAME_POSITION,
    WHOLE_AXIS,
    Gradient,
    Held,
    Keeps,
    Operator,
    Returned,
    Scratch,
    Sight,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


class Linear(Operator):
    """Every output is a weighted sum over the last axis: `[…, in]` becomes `[…, features]`."""

    kind = "linear"
    synonyms = "fc dense fully_connected innerproduct inner_product gemm"
    category = "linear"
    weights_by_views = True
    features: Count = required("output features")
    bias: Bool = option(True, "add a bias per output feature")
    examples = (
        example((9216,), features=4096),
        example((7, 12), features=5, bias=False),
        example((4, 5, 6), features=3),
    )

    def output_shape(self) -> Shape:
        require(len(self.x) > 0, lambda: "linear needs an input with an axis")
        return (*self.x[:-1], self.features)

    def weights(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.features, self.x[-1])}
        if self.bias:
            shapes["bias"] = (self.features,)
        return shapes

    def work(self) -> Work:
        return {"mac": self.elements * self.x[-1], "add": self.elements if self.bias else 0}

    def sight(self) -> tuple[Window | Sight, ...]:
        return (*(SAME_POSITION,) * (len(self.x) - 1), WHOLE_AXIS)

    def warning(self, sides: Sequence[bool]) -> str:
        if len(self.x) < 3 or not sides[-1]:
            return ""
        return (
            f"linear takes the {self.x[-1]} numbers of each row of the image {shape_text(self.x)} "
            "and keeps the other axes: flatten is missing before it, unless that is meant"
        )

    def keeps(self) -> Keeps:
        return Keeps(inputs=True)

    def _copies(self, given: Given) -> bool:
        """Whether the rows do not lie one after another, as the matrix product needs them: then they are copied."""
        layout = given.layouts[0]
        return len(self.x) > 1 and layout.viewed((product(layout.sizes[:-1]), layout.sizes[-1])) is None

    def copies_gradient(self, given: Given, gradient: Layout) -> bool:
        sizes = gradient.sizes
        return len(self.x) > 1 and gradient.viewed((product(sizes[:-1]), sizes[-1])) is None

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return (Returned(Gradient.NEW, Layout.in_order(given.layouts[0].sizes), is_view=len(self.x) > 1),)

    def gives_weights_in_parts(self, given: Given) -> bool:
        """Where rows do not lie in order, the bias is added by itself."""
        return len(self.x) > 1 and not given.layouts[0].is_in_order

    def keeps_of(self, given: Given) -> Keeps:
        return Keeps(elements=product(self.x)) if self._copies(given) else self.keeps()

    def scratch_of(self, given: Given) -> Scratch:
        """The input's copy and the product; then the product and, in a tensor of its own, its sum with the bias."""
        if len(self.x) == 1 or given.layouts[0].is_in_order:
            return self.scratch()
        copy = product(self.x) if self._copies(given) else 0
        added = 2 * self.elements if self.bias else self.elements
        return Scratch(inference=(Held(copy + self.elements), Held(added)), training=(Held(copy + added),))

    def torch(self) -> Torch:
        return Torch("nn.Linear", (self.x[-1], self.features), {} if self.bias else {"bias": False})

    def facts(self) -> dict[str, Any]:
        return {"filters": self.features}


class Embedding(Operator):
    """A row of a table for every index: `[L]` becomes `[L, features]`."""

    kind = "embedding"
    synonyms = "embed lookup token_embedding"
    category = "linear"
    takes_indices = True
    features: Count = required("size of a row")
    entries: Count = required("number of rows")
    examples = (example((7,), features=16, entries=100), example((3, 5), features=4, entries=10))

    def output_shape(self) -> Shape:
        require(len(self.x) <= 2, lambda: f"embedding needs indices [L], and is given {shape_text(self.x)}")
        return (*self.x, self.features)

    def weights(self) -> dict[str, Shape]:
        return {"weight": (self.entries, self.features)}

    def work(self) -> Work:
        return {}

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return (*((axis,) for axis in range(len(self.x))), ())

    def sight(self) -> tuple[Window | Sight, ...]:
        return (SAME_POSITION,) * len(self.x)

    def keeps(self) -> Keeps:
        return Keeps(inputs=True)

    def torch(self) -> Torch:
        return Torch("nn.Embedding", (self.entries, self.features))
