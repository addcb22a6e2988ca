"""Stand-ins for what an importer meets and no operator says: their shapes and their work are given, not computed."""

from archcalc.arithmetic import Shape, product
from archcalc.ops.arguments import Bool, Phrase, ShapesByName, WholeAmount, option
from archcalc.ops.layout import InputTensors, Placement
from archcalc.ops.opaque import StandIn
from archcalc.ops.shapes import checked_sizes
from archcalc.ops.trained import ShapedAlone
from archcalc.ops.vocabulary import GRADIENT, Backward, Torch, Work, Workspace, Workspaces, example


class Generic(StandIn):
    """An operation whose shape and work are known, but which has no operator of its own."""

    kind = "generic"
    exactness = "generic"
    operation: Phrase = option("", "its name where it comes from")
    macs: WholeAmount = option(0, "multiply-adds for one sample")
    other: WholeAmount = option(0, "other arithmetic for one sample, counted as additions")
    uncounted: Bool = option(False, "it may do more multiply-adds, so that totals are lower bounds")
    tensors: ShapesByName = option({}, "trained tensors: names, and shapes as lists")
    stored: ShapesByName = option({}, "stored tensors that are not trained, in the same form")
    examples = (
        example((4, 5, 6), shape=(4, 5, 6), operation="cumsum", other=120),
        example((7,), (3,), shape=(5,), macs=35, tensors={"weight": (7, 5)}),
    )

    def output_shape(self) -> Shape:
        return checked_sizes(self.shape) if self.shape else ()

    def weights(self) -> dict[str, Shape]:
        return dict(self.tensors)

    def buffers(self) -> dict[str, Shape]:
        return dict(self.stored)

    def work(self) -> Work:
        return {"mac": self.macs, "add": self.other}

    @property
    def work_is_known(self) -> bool:
        return not self.uncounted

    def torch(self) -> Torch:
        return Torch("archcalc.Given", (self.shape, dict(self.tensors), dict(self.stored)))


class Computed(ShapedAlone):
    """A tensor that is computed from stored ones alone, once for a batch: a table of positions, a mask."""

    kind = "computed"
    tools_agree = False
    numbers_are_given = True
    category = "shape"
    macs: WholeAmount = option(0, "multiply-adds, once for a batch")
    tensors: ShapesByName = option({}, "trained tensors that it is computed from: names, and shapes as lists")
    stored: ShapesByName = option({}, "stored tensors that are not trained, in the same form")
    examples = (
        example((7, 12), shape=(3, 5), macs=60, tensors={"weight": (4, 3), "bias": (5,)}),
        example((4, 5, 6), shape=(4,), stored={"table": (2, 4)}),
        example((7, 12), shape=(5, 1), tensors={"scale": (5,)}),
        example((7, 12), shape=(7, 7)),
    )

    def output_shape(self) -> Shape:
        return checked_sizes(self.shape) if self.shape else ()

    def weights(self) -> dict[str, Shape]:
        return dict(self.tensors)

    def buffers(self) -> dict[str, Shape]:
        return dict(self.stored)

    def _is_stored(self) -> bool:
        """True if it is one stored tensor under another shape, or a part of one that is not trained."""
        shapes = [*self.tensors.values(), *self.stored.values()]
        if self.macs or len(shapes) != 1:
            return False
        own, elements = product(shapes[0]), product(self.shape)
        return bool(own == elements or (not self.tensors and own > elements))

    def placement(self, tensors: InputTensors) -> Placement:
        repeated = super().placement(tensors)
        return repeated._replace(elements=0 if self._is_stored() else product(self.shape))

    def workspaces(self) -> Workspaces:
        """Backward, the sum of all samples' gradients, which leads to those of the weights."""
        weights = sum(map(product, self.tensors.values()))
        if self._is_stored() or not weights:
            return Workspaces()
        summed = product(self.shape)
        return Workspaces(
            backward=(Workspace(shared=summed), Workspace(shared=summed + weights)), frees=((GRADIENT, 1),)
        )

    def is_approximate(self, tensors: InputTensors) -> bool:
        """True if it is computed, because the tensors between are not known."""
        return not self._is_stored()

    def work_per_batch(self) -> Work:
        return {"mac": self.macs}

    def backward_per_batch(self) -> Backward:
        return Backward(weights=self.macs, inputs=0, inner=self.macs)

    def torch(self) -> Torch:
        maker = "archcalc.GivenAsStored" if self._is_stored() else "archcalc.GivenOnce"
        return Torch(maker, (self.shape, dict(self.tensors), dict(self.stored)))
