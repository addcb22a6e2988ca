"""Sums of products of two tensors, in Einstein's notation."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, ShapeError, product, require
from archcalc.ops.arguments import BadArgument, Phrase, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.matmul import Matmul, ProductOfTwo
from archcalc.ops.naming import AxisNames
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)


class Einsum(ProductOfTwo):
    """A sum of products of two tensors, such as `hwc,hkc->hwk`: a letter for each axis, the batch not counted.

    A letter that the output lacks is summed over.
    """

    kind = "einsum"
    aten = "einsum"
    category = "linear"
    equation: Phrase = required("the letters of the inputs' axes and the output's: ab,bc->ac")
    examples = (
        example((5, 6, 4), (5, 7, 4), equation="hwc,hkc->hwk"),
        example((3, 5, 6), (4, 3), equation="chw,kc->khw"),
        example((5, 6), (7, 6), equation="ac,bc->ab"),
    )

    def resolved(self) -> dict[str, Any]:
        words = self.equation.replace(" ", "").replace("->", ",").split(",")
        if len(words) != 3 or not all(word.isalpha() or not word for word in words):
            raise BadArgument("equation must have two inputs and an output, as ab,bc->ac", "equation")
        return {"letters": tuple(words)}

    letters: tuple[str, str, str]
    """The axes of both inputs and of the output."""

    def _sizes(self) -> dict[str, Dim]:
        sizes: dict[str, Dim] = {}
        for word, shape in zip(self.letters, self.inputs, strict=False):
            fits = len(word) == len(shape) == len({*word})
            require(fits, lambda word=word, shape=shape: f"{word} are not the axes of {shape_text(shape)}")  # type: ignore[misc]
            for letter, size in zip(word, shape, strict=True):
                known = sizes.setdefault(letter, size)
                require(
                    known == size,
                    lambda a=letter, n=known, m=size: f"einsum's axis {a} is {n} and {m}",  # type: ignore[misc]
                )
        return sizes

    def output_shape(self) -> Shape:
        first, second, output = self.letters
        sizes = self._sizes()
        summed = {*first, *second} - {*output}
        fits = len({*output}) == len(output) and {*output} <= sizes.keys() and summed and summed <= {*first} & {*second}
        require(fits, lambda: "an axis is the output's, or both inputs have it and it is summed over; one is")
        return tuple(sizes[letter] for letter in output)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        first, second, output = self.letters
        names = dict(zip(second + first, (*inputs[1], *inputs[0]), strict=True))
        return tuple(names[letter] for letter in output)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Only an axis that both inputs have at its place is followed."""
        first, second, output = self.letters
        return tuple(
            (place,) if first[place : place + 1] == second[place : place + 1] == letter else ()
            for place, letter in enumerate(output)
        )

    def work(self) -> Work:
        return {"matmul": product(tuple(self._sizes().values()))}

    def _orders(self) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
        """Return, for each input, its axes as rows and columns of matrices: with the batch, axes of both go first.

        The first list has the axes in front, counted from 1 behind the batch; the second the order of the others.
        """
        first, second, output = self.letters
        beside = [letter for letter in output if letter in first and letter in second]
        summed = [letter for letter in first if letter not in output]
        rows, columns = ([letter for letter in output if letter not in word] for word in (second, first))
        places = [
            [word.index(letter) + 1 for letter in part]
            for word, parts in ((first, (beside, rows, summed)), (second, (beside, summed, columns)))
            for part in parts
        ]
        return (places[0], places[1] + places[2]), (places[3], places[4] + places[5])

    def _multiplies(self) -> bool:
        """Return True if nothing is summed but axes of size 1: PyTorch then multiplies element by element."""
        return all(size == 1 for letter, size in self._sizes().items() if letter not in self.letters[2])

    def _copied(self, tensors: InputTensors) -> list[bool]:
        """Return whether each input is copied to become matrices."""
        if self._multiplies():
            return [False, False]
        found = []
        summed = len([letter for letter in self.letters[0] if letter not in self.letters[2]])
        for number, ((front, others), layout) in enumerate(zip(self._orders(), tensors.layouts, strict=True)):
            moved = layout.permuted((0, *front, *others))
            sizes = moved.sizes[1 + len(front) :]
            middle = summed if number else len(sizes) - summed
            parts = (product(moved.sizes[: 1 + len(front)]), product(sizes[:middle]), product(sizes[middle:]))
            found.append(moved.viewed(parts) is None)
        return found

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """The inputs whose partner needs a gradient, as copies where their axes cannot be merged."""
        both = list(zip(self._copied(tensors), tensors.needs_gradient[::-1], self.inputs, strict=True))
        copies = sum(product(shape) for copied, wants, shape in both if copied and wants)
        return SavedTensors(inputs=tuple(wants and not copied for copied, wants, _ in both), elements=copies)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The copies beside the output; backward, of element-wise products those that are then summed."""
        if self._multiplies():
            wanted = [product(shape) for shape, wants in zip(self.inputs, tensors.needs_gradient, strict=True) if wants]
            return Workspaces(backward=(Workspace(len(wanted) * self.elements + wanted[0]),) if wanted else ())
        copies = sum(product(shape) for shape, copied in zip(self.inputs, self._copied(tensors), strict=True) if copied)
        forward = (Workspace(self.elements + copies),) if copies else ()
        return Workspaces(forward, forward)

    def is_approximate(self, tensors: InputTensors) -> bool:
        """True where PyTorch chooses another way than the product of matrices.

        It does if the output's axes are not in the order of that product, or if nothing is summed but axes of size 1.
        """
        first, second, output = self.letters
        if self._multiplies():
            return True
        beside, rows, columns = (
            [letter for letter in output if (letter in first, letter in second) == where]
            for where in ((True, True), (True, False), (False, True))
        )
        return [*output] not in ([*beside, *rows, *columns], [*beside, *columns, *rows])

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """Products of the output's gradient, in the order of the matrices."""
        found = []
        for (front, others), layout in zip(self._orders(), tensors.layouts, strict=True):
            order = (0, *front, *others)
            own = Layout.in_order(layout.permuted(order).sizes).restored(order)
            found.append(InputGradient(GradientKind.NEW, own, is_view=True))
        return tuple(found)

    def accesses(self) -> tuple[Access, ...]:
        """An axis that is not followed is taken to be seen whole."""
        axes = self.axes()
        return tuple(
            tuple(SAME_POSITION if (place,) in axes[place : place + 1] else WHOLE_AXIS for place in range(len(shape)))
            for shape in self.inputs
        )

    @property
    def overestimates(self) -> dict[str, str]:
        reason = "an output reads one position of an axis that moves"
        return {} if all(self.axes()) else dict.fromkeys(("channels", "positions"), reason)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        words = call.arguments["equation"].replace(" ", "").replace("->", ",").split(",")
        operands = [*call.operands, call.output]
        if Matmul.from_aten(call) is not None or len(operands) != 3 or len(words) != 3:
            return None
        batched = [(word, operand) for word, operand in zip(words, operands, strict=True) if operand.batch is not None]
        letters = {word[operand.batch] for word, operand in batched if operand.batch is not None}
        folded = {operand.folded for _, operand in batched}
        if len(letters) != 1 or len(folded) != 1 or sum(not letters.isdisjoint(word) for word in words) != len(batched):
            raise ShapeError("samples are not taken one by one")
        if folded == {1}:
            words = [word.replace(*letters, "") for word in words]
        return {"equation": f"{words[0]},{words[1]}->{words[2]}"}

    def torch(self) -> Torch:
        return Torch("archcalc.einsum", ("...{},...{}->...{}".format(*self.letters),))
