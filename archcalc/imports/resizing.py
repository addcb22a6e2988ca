"""An imported network at other input sizes, by the rules of its operators.

An import fixes the sizes that the model computes in Python, such as those of a resize. So the rules are compared with a
second import at another size, before anything is said about sizes that are left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archcalc.arithmetic import Shape, ShapeError
from archcalc.errors import SpecError
from archcalc.imports.inputs import GivenInput, GivenInputs
from archcalc.language.family import SpecFamily
from archcalc.network import Layer, Network, Settings, Shapes
from archcalc.ops.vocabulary import shape_text
from archcalc.structs import replace
from archcalc.words import help_line


@dataclass
class Resizable:
    """An imported network in the place of a spec: it has no parameters, and its input's sizes may be open."""

    original: Network
    again: Callable[[GivenInputs], Network]
    """Imports the same model for other inputs."""
    given: GivenInputs = ()
    """The inputs that it was imported for; empty for its usual ones."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.original.name

    @property
    def params(self) -> Mapping[str, Any]:
        """No parameters."""
        return {}

    def free_dimensions(self, variant: str | None = None) -> list[str]:
        """No sizes are open from the start."""
        return []

    def network(self, variant: str | None = None, settings: Settings = None, inputs: Shapes = None) -> Network:
        """Return the network for these inputs, or as it was imported."""
        return self.original if inputs is None else resized(self.original, inputs)

    def confirm(self, network: Network) -> None:
        """Raise `SpecError` if a network that the rules gave is not the one that is imported at its sizes."""
        _compare(network, self.again(self._given(network.inputs)))

    def _given(self, inputs: Mapping[str, Shape]) -> GivenInputs:
        """Return inputs as they were given: those of a dictionary have names such as `batch.image`."""
        names = {given_input.name.replace(".", "_"): given_input.name for given_input in self.given}
        return tuple(GivenInput(names.get(name, name), shape) for name, shape in inputs.items())


def resized(network: Network, inputs: Mapping[str, Shape]) -> Network:
    """Return an imported network for inputs of other shapes.

    Raises `SpecError` if an operator refuses them.
    """
    shapes: dict[str, Shape] = {**network.inputs, **inputs}
    layers: list[Layer] = []
    for layer in network.layers:
        try:
            op = layer.op.remade([shapes[source] for source in layer.inputs], layer.op.given)
        except ShapeError as error:
            raise SpecError(f"{layer.name} has sizes that do not change with the input: {error}") from error
        shapes[layer.name] = op.output
        layers.append(layer.rewired(op, layer.inputs))
    return replace(network, inputs={name: shapes[name] for name in network.inputs}, layers=tuple(layers))


def imported_family(
    network: Network, lets: Mapping[str, str], again: Callable[[GivenInputs], Network], given: GivenInputs = ()
) -> SpecFamily:
    """Return an imported network with sizes of its input left open.

    Args:
        network: as it was imported.
        lets: sizes of the input (`H`, `W`, `L`, …) to expressions.
        again: imports the same model for other inputs.
        given: the inputs that it was imported for; empty for its usual ones.

    Raises:
        SpecError: for an unknown size, or if a layer's numbers at another size are not what its rules say.
    """
    model = Resizable(network, again, given)
    family = SpecFamily(model, None, {}, None, lets)
    if lets:
        model.confirm(family.network({name: value + 1 for name, value in family.samples.items()}))
    return family


def _compare(ruled: Network, imported: Network) -> None:
    shapes = ", ".join(shape_text(shape) for shape in ruled.inputs.values())
    for mine, found in zip(ruled.layers, imported.layers, strict=False):
        if mine.name != found.name or type(mine.op) is not type(found.op):
            raise SpecError(f"the model has other layers at {shapes} from {found.name} on{_FIXED}")
        if mine.output_shape != found.output_shape or mine.op.work() != found.op.work():
            raise SpecError(f"{mine.name} has sizes or work that the import fixes: it is another at {shapes}{_FIXED}")
    if len(ruled.layers) != len(imported.layers):
        raise SpecError(f"the model has another number of layers at {shapes}{_FIXED}")


_FIXED = help_line("import it at the sizes that you need: --input C,H,W")
