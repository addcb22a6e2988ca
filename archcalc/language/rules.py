"""The rules of lint: the code of each kind of problem, why it is one, and an example with its correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.errors import Diagnostic, Fix, Place
from archcalc.language.source import Mapping, Scalar
from archcalc.network import Layer, Network
from archcalc.ops.naming import SIDES
from archcalc.ops.vocabulary import shape_text
from archcalc.structs import Struct
from archcalc.words import help_line


class Rule(Struct):
    """A kind of problem: in a spec, or of a command."""

    code: str
    title: str
    why: str
    example: str
    """A spec that has the problem, or a command that fails."""
    better: str
    """The same without it."""

    @property
    def is_warning(self) -> bool:
        """True if a spec with the problem is valid."""
        return "A100" <= self.code < "A200"


_INPUT = "input: [3, 32, 32]\n"
RULES = {
    rule.code: rule
    for rule in (
        Rule(
            "A001",
            "invalid YAML",
            "A spec is a YAML document: a mapping with an input and layers.",
            "input: [3, 32, 32\nlayers: [relu]\n",
            _INPUT + "layers: [relu]\n",
        ),
        Rule(
            "A002",
            "unknown name",
            "An operator, an argument, a step, a network or another thing with a name is called otherwise. "
            "In a spec, `lint --fix` writes the nearest name.",
            _INPUT + "layers: [{conv: 8, kernal: 3}]\n",
            _INPUT + "layers: [{conv: 8, kernel: 3}]\n",
        ),
        Rule(
            "A003",
            "the shapes do not fit",
            "An operator cannot take an input of this shape. `archcalc explain FILE` derives why.",
            _INPUT + "layers: [{conv: 8, kernel: 35}]\n",
            _INPUT + "layers: [{conv: 8, kernel: 3}]\n",
        ),
        Rule(
            "A004",
            "invalid spec",
            "Something is missing, is there twice, or has a value that it cannot have. The message says what.",
            "layers: [relu]\n",
            _INPUT + "layers: [relu]\n",
        ),
        Rule(
            "A101",
            "missing flatten",
            "A linear layer takes the last axis, which is the width of an image.",
            _INPUT + "layers: [{conv: 8, kernel: 3}, {linear: 10}]\n",
            _INPUT + "layers: [{conv: 8, kernel: 3}, flatten, {linear: 10}]\n",
        ),
        Rule(
            "A102",
            "unused output",
            "Nothing takes the output of the layer, so that its parameters are never trained.",
            _INPUT + "layers: [{relu, name: a}, {conv: 8, kernel: 3, from: input}]\n",
            _INPUT + "layers: [relu, {conv: 8, kernel: 3}]\n",
        ),
        Rule(
            "A103",
            "rows or columns that no window reaches",
            "The stride does not divide the size, so that the end of the input is never read.",
            "input: [3, 31, 31]\nlayers: [{max_pool: 2}]\n",
            "input: [3, 32, 32]\nlayers: [{max_pool: 2}]\n",
        ),
        Rule(
            "A104",
            "input in the order height, width, channels",
            "Shapes have the channels first, as in PyTorch. `--fix` moves them.",
            "input: [32, 32, 3]\nlayers: [{conv: 8, kernel: 3}]\n",
            _INPUT + "layers: [{conv: 8, kernel: 3}]\n",
        ),
        Rule(
            "A105",
            "bias before batch normalization",
            "The normalization subtracts the mean, and the bias with it (Ioffe and Szegedy, 2015). "
            "`--fix` writes `bias: false`.",
            _INPUT + "layers: [{conv: 8, kernel: 3}, batch_norm]\n",
            _INPUT + "layers: [{conv: 8, kernel: 3, bias: false}, batch_norm]\n",
        ),
        Rule(
            "A106",
            "stride larger than the kernel",
            "Positions between the windows are never read. A 1×1 convolution of a shortcut is not reported.",
            "input: [3, 33, 33]\nlayers: [{conv: 8, kernel: 3, stride: 5}]\n",
            "input: [3, 33, 33]\nlayers: [{conv: 8, kernel: 5, stride: 5, padding: 1}]\n",
        ),
        Rule(
            "A107",
            "windows that see only padding",
            "The padding is at least as large as the kernel, so that outputs at the border do not depend on the input.",
            _INPUT + "layers: [{conv: 8, kernel: 1, padding: 1}]\n",
            _INPUT + "layers: [{conv: 8, kernel: 1}]\n",
        ),
        Rule(
            "A108",
            "softmax at the end",
            "Cross-entropy losses, such as torch.nn.CrossEntropyLoss, take the values before a softmax.",
            "input: [8]\nlayers: [{linear: 10}, softmax]\n",
            "input: [8]\nlayers: [{linear: 10}]\n",
        ),
        Rule(
            "A109",
            "most parameters in one layer",
            "A linear layer after flatten has more parameters than the rest of the network together.",
            _INPUT + "layers: [{conv: 8, kernel: 3}, {conv: 8, kernel: 3}, flatten, {linear: 64}, {linear: 10}]\n",
            _INPUT + "layers: [{conv: 8, kernel: 3}, {conv: 8, kernel: 3}, global_avg_pool, flatten, {linear: 64}, "
            "{linear: 10}]\n",
        ),
    )
}
"""Code to rule. A spec with a code below A100 is invalid."""

UNREAD = "A103"
_LINES = {1: ["position"], 2: ["row", "column"], 3: ["plane", "row", "column"]}
"""What lies along each dimension of a map."""
WEIGHT_LAYERS = 4
"""Layers with weights from which on a network is large enough for A109."""


def warnings(network: Network) -> list[Diagnostic]:
    """Return a warning for everything that is allowed but probably not meant, in the order of the layers."""
    takers: dict[str, list[Layer]] = {}
    for layer in network:
        for source in layer.inputs:
            takers.setdefault(source, []).append(layer)
    found: dict[Diagnostic, None] = dict.fromkeys(_order_of_axes(network, takers))
    for layer in network:
        sides = [name in SIDES for name in network.axes[layer.inputs[0]]]
        message = layer.op.warning(sides)
        if message:
            found[_warning("A101", message, layer)] = None
        if hasattr(layer.op, "kernel") and hasattr(layer.op, "dilation") and not layer.op.spreads:
            found.update(dict.fromkeys(_windows(layer, takers)))
    found.update(dict.fromkeys(_biases(network, takers)))
    found.update(dict.fromkeys(_last_and_largest(network)))
    for layer in network.unused:
        fix = help_line("put it under side, or name it in outputs")
        found[_warning("A102", f"nothing takes the output of {layer.name}{fix}", layer)] = None
    return list(found)


def _warning(code: str, message: str, layer: Layer, fixes: tuple[Fix, ...] = ()) -> Diagnostic:
    return Diagnostic(message, layer.place, is_warning=True, code=code, fixes=fixes)


def _order_of_axes(network: Network, takers: dict[str, list[Layer]]) -> Iterator[Diagnostic]:
    for name, shape in network.inputs.items():
        first = next((layer for layer in takers.get(name, ()) if layer.op.category == "convolution"), None)
        if first is not None:
            yield from channels_last(shape, first.place)


def channels_last(shape: Shape, place: Place | None) -> Iterator[Diagnostic]:
    """Yield the warning of an input that seems to be height, width, channels, at the place where it matters."""
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or min(shape[:2]) <= 4:
        return
    right = (shape[2], *shape[:2])
    message = f"the input {shape_text((*shape,))} seems to have its channels last; shapes have them first" + help_line(
        f"write input: [{', '.join(map(str, right))}]"
    )
    yield Diagnostic(message, place, is_warning=True, code="A104", fixes=_moved_channels(place, shape))


def _moved_channels(place: Place | None, shape: Sequence[int]) -> tuple[Fix, ...]:
    """Return the change of `input: [H, W, C]` to `[C, H, W]`, if it is written so on a line of the spec."""
    old = f"[{', '.join(map(str, shape))}]"
    for number, line in enumerate(place.lines if place is not None else ()):
        if line.startswith("input: ") and line[7:].startswith(old):
            return (Fix(number, 7, len(old), f"[{', '.join(map(str, (shape[2], *shape[:2])))}]"),)
    return ()


def _windows(layer: Layer, takers: dict[str, list[Layer]]) -> Iterator[Diagnostic]:
    """Yield the warnings of a convolution or a pooling, once for all of its dimensions."""
    op: Any = layer.op
    padding = op.padding if isinstance(op.padding, tuple) else (op.padding,) * len(op.kernel)
    margins = getattr(op, "margins", ()) or padding
    sides = [*zip(op.inputs[0][1:], op.kernel, op.stride, op.dilation, margins, strict=True)]
    is_ceiled = getattr(op, "ceil_mode", False)
    for side in sides:
        size, kernel, stride, dilation, margin = side
        before, after = margin if isinstance(margin, tuple) else (margin, margin)
        spans = dilation * (kernel - 1) + 1
        left = (size + before + after - spans) % stride - after
        if stride > spans and not (kernel == 1 and _joins(layer, takers)):
            message = f"the stride {stride} is larger than the {spans} that the kernel spans: input between is not read"
            yield _warning("A106", message, layer)
            return
        if left > 0 and kernel > 1 and not is_ceiled:
            words = [word for word, other in zip(_LINES[len(sides)], sides, strict=True) if other == side]
            last = f"last {left} {'s and '.join(words)}s" if left > 1 else f"last {' and '.join(words)}"
            verb = "is" if left == len(words) == 1 else "are"
            message = f"the {last} {verb} never read: windows of {spans} with stride {stride} do not fill {size}"
            yield _warning("A103", message, layer)
            return
        if max(before, after) >= spans:
            message = f"the padding {max(before, after)} is as large as the {spans} that the kernel spans"
            yield _warning("A107", message + help_line("leave out the padding, or use a larger kernel"), layer)
            return


def _joins(layer: Layer, takers: dict[str, list[Layer]]) -> bool:
    """True if a layer is the last convolution of a branch."""
    while len(takers.get(layer.name, ())) == 1:
        layer = takers[layer.name][0]
        if len(layer.inputs) > 1:
            return True
        if layer.op.weights() and layer.op.category != "normalization":
            return False
    return False


def _biases(network: Network, takers: dict[str, list[Layer]]) -> Iterator[Diagnostic]:
    """Yield the convolutions whose bias a batch normalization takes away."""
    needless = [
        layer
        for layer in network
        if getattr(layer.op, "bias", False) is True
        and layer.op.with_bias() is not None
        and [taker.op.scales_channels for taker in takers.get(layer.name, ())] == [True]
        and layer.name not in network.outputs
    ]
    names = {layer.name for layer in needless}
    kept = {id(layer.origin) for layer in network if layer.name not in names}
    for layer in needless:
        message = "the batch normalization after this takes its bias away" + help_line("write bias: false")
        fixes = () if id(layer.origin) in kept else _without_bias(layer)
        yield _warning("A105", message, layer, fixes)


def _without_bias(layer: Layer) -> tuple[Fix, ...]:
    """Return the change of a step in braces on one line; none if it is written otherwise."""
    node, place = layer.origin, layer.place
    if not isinstance(node, Mapping) or place is None or layer.op.kind not in node.pairs:
        return ()
    given = node.get("bias")
    if given is not None:
        is_plain = isinstance(given, Scalar) and given.text == "true" and not given.quoted
        return (Fix(given.line, given.column, 4, "false"),) if is_plain else ()
    line = place.lines[place.line]
    end = line.find("}", place.column)
    step = line[place.column : end]
    if end < 0 or not step.startswith("{") or any(mark in step[1:] for mark in "{'\"#"):
        return ()
    return (Fix(place.line, end, 0, ", bias: false"),)


def _last_and_largest(network: Network) -> Iterator[Diagnostic]:
    for name in network.outputs:
        if name not in network.inputs and network[name].op.is_in_losses:
            yield _warning("A108", f"{name} is at the end, where a loss takes the values before it", network[name])
    counts = {layer.name: sum(map(product, layer.op.weights().values())) for layer in network if layer.shares is None}
    total = sum(counts.values())
    if sum(count > 0 for count in counts.values()) < WEIGHT_LAYERS:
        return
    largest = max(counts, key=lambda name: counts[name])
    layer = network[largest]
    source = layer.inputs[0]
    before = None if source in network.inputs else network[source].op
    flattened = before is not None and before.moves_elements and len(before.x) > len(before.output) == 1
    if flattened and layer.op.category == "linear" and 2 * counts[largest] > total:
        share = 100 * counts[largest] // total
        fix = help_line("a global_avg_pool before flatten, or a pooling, makes it smaller")
        yield _warning("A109", f"{largest} has {share} % of the parameters{fix}", layer)
