"""A spec that is being edited: its network at a view, and what of it can be slid."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from archcalc.analysis import Analysis, Counting, analyze
from archcalc.language.language import Spec, parse_setting
from archcalc.language.library import spec_of_text
from archcalc.language.source import Scalar
from archcalc.network import Network
from archcalc.ops.naming import POSITIONS, letters_of
from archcalc.serve.view import View
from archcalc.structs import Struct

FILE = "spec.yaml"
"""The text's name in messages."""
OPEN_SIZE = "224"
"""The value of a size that the spec leaves open, until it is slid."""


class Opened(Struct):
    """A text with a view of it."""

    text: str
    view: View
    path: Path | None = None
    """The file that it is the text of, whose folder `extends` may read; None if no file may be read."""

    @cached_property
    def spec(self) -> Spec:
        """The parsed spec. Raises `SpecError`."""
        return spec_of_text(self.text, self.path, FILE)

    @cached_property
    def variant(self) -> str | None:
        """The chosen variant; None for the spec itself, and where the text has that variant no longer."""
        return self.view.variant if self.view.variant in self.spec.variants else None

    @cached_property
    def free(self) -> list[str]:
        """The sizes that the spec leaves open."""
        return self.spec.free_dimensions(self.variant)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The values of the parameters and open sizes that are not the spec's."""
        known = {name: value for name, value in self.view.settings.items() if name in {*self.spec.params, *self.free}}
        texts = {**dict.fromkeys(self.free, OPEN_SIZE), **known}
        return dict(parse_setting(f"{name}={text}", self.spec) for name, text in texts.items())

    @cached_property
    def written(self) -> Network:
        """The network with the input sizes of the text. Raises `SpecError`."""
        return self.spec.network(self.variant, self.settings)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs with changed sizes, and their shapes."""
        changed = {}
        for name, shape in self.written.inputs.items() if self.view.sizes else ():
            sizes = tuple(self.view.sizes.get(f"{name}.{axis}", size) for axis, size in enumerate(shape))
            if sizes != shape:
                changed[name] = sizes
        return changed

    @cached_property
    def network(self) -> Network:
        """The network, with the sizes of its inputs as the view says. Raises `SpecError`."""
        return self.spec.network(self.variant, self.settings, self.shapes) if self.shapes else self.written

    @cached_property
    def analysis(self) -> Analysis:
        """The costs of the network, counted as the view says. Raises `UserError`."""
        return analyze(self.network, Counting(self.view.batch, self.view.dtype, self.view.convention))

    def sliders(self) -> list[dict[str, Any]]:
        """Return the whole numbers that can be slid: parameters, open sizes, and sizes of inputs."""
        found = []
        values = self.spec.variant(self.variant).values
        for name, value in values.items():
            node = None if value is None else value.node
            if isinstance(node, Scalar) and node.text.isdigit() and len(node.text) < 7:
                found.append(self._slider("settings", name, name, int(node.text)))
        found += [self._slider("settings", name, name, int(OPEN_SIZE)) for name in self.free]
        if self.free:
            return found
        own = self.written
        for name, shape in own.inputs.items():
            letters = letters_of(own.axes[name])
            for axis, (side, size) in enumerate(zip(own.axes[name], shape, strict=True)):
                if side in POSITIONS:
                    label = letters[axis] if len(own.inputs) == 1 else f"{name} {letters[axis]}"
                    found.append(self._slider("sizes", f"{name}.{axis}", label, size))
        return found

    @staticmethod
    def _slider(part: str, key: str, label: str, value: int) -> dict[str, Any]:
        return {"part": part, "key": key, "label": label, "value": value, "most": max(4 * value, 8)}

    def lines(self) -> dict[str, int]:
        """Return the line of each layer that is in this text."""
        places = {layer.name: layer.place for layer in self.network.layers if layer.place is not None}
        return {name: place.line for name, place in places.items() if place.file == FILE}
