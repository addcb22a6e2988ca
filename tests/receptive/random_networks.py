"""Random networks against gradients: `python -m tests.receptive.random_networks --examples 3000 --seed 1`.

Each network is rich in upsampling, transposed convolution with output_padding, pixel shuffles, reshapes, crops,
dilation and joins. It is built in PyTorch with positive weights, and one backward pass for each unit says which
positions that unit of the last layer sees. The region of every unit must be that set, holes included. Where a unit sees
no padding, the interval by the formula must be the hull of that set.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from itertools import product
from typing import Any

import torch

from archcalc.arithmetic import ShapeError
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.ops.arguments import BadArgument
from archcalc.ops.operator import Operator
from archcalc.ops.reads import PaddingMode, Reads
from archcalc.receptive.regions import Region, RegionTracer
from tests.runtime.probe import linear_network

MOST_UNITS = 500
"""Units of the last layer."""
DUST = 1e-11
"""The share of the largest gradient up to which one is rounding: interpolation at whole positions leaves some."""


class Maker:
    """Makes a random network, layer by layer, out of operators that fit."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        sizes = (self.random.randint(5, 14), self.random.randint(5, 14))
        self.inputs = {"input": (self.random.choice((1, 2)), *sizes)}
        self.shapes: dict[str, tuple[int, ...]] = dict(self.inputs)
        self.layers: list[Layer] = []

    def network(self) -> Network:
        """Return the network; its output is its last layer."""
        for _ in range(self.random.randint(2, 8)):
            maps = self.maps()
            source = maps[-1] if self.random.random() < 0.8 else self.random.choice(maps)
            self.random.choice((self.layer, self.layer, self.layer, self.join, self.rearrange))(source)
        if not self.layers:
            return self.network()
        return Network("random", self.inputs, tuple(self.layers), (self.layers[-1].name,))

    def maps(self) -> list[str]:
        """Return the names of maps, the last one last."""
        return [name for name, shape in self.shapes.items() if len(shape) == 3]

    def add(self, kind: str, sources: list[str], **arguments: Any) -> str | None:
        """Add an operator if it fits, and return its name."""
        try:
            op = registry()[kind]([self.shapes[source] for source in sources], **arguments)
        except (ShapeError, BadArgument):
            return None
        if torch.Size(op.output).numel() > 6000 or (len(op.output) == 3 and op.output[1] * op.output[2] > MOST_UNITS):
            return None
        name = f"{kind}{len(self.layers)}"
        self.shapes[name] = op.output
        self.layers.append(Layer(name, op, tuple(sources)))
        return name

    def layer(self, source: str) -> str | None:
        """Add a layer that reads a window, or another part, of one input."""
        pick, some = self.random.choice, self.random.randint
        shape = self.shapes[source]

        def pair(least: int, most: int) -> tuple[int, int]:
            return some(least, most), some(least, most)

        kind, arguments = pick(
            [
                (
                    "conv",
                    {
                        "channels": some(1, 3),
                        "kernel": pair(1, 4),
                        "stride": pair(1, 3),
                        "dilation": pair(1, 2),
                        "padding": (pair(0, 2), pair(0, 2)),
                    },
                ),
                ("conv", {"channels": 2, "kernel": 3, "padding": 1}),
                ("conv", {"channels": 1, "kernel": pick(((5, 1), (1, 5))), "padding": "same"}),
                (
                    "conv",
                    {
                        "channels": 2,
                        "kernel": pair(2, 3),
                        "padding": 1,
                        "padding_mode": pick(("reflect", "replicate", "circular")),
                    },
                ),
                (
                    "conv_transpose",
                    {
                        "channels": some(1, 3),
                        "kernel": pair(1, 4),
                        "stride": pair(1, 3),
                        "padding": pair(0, 2),
                        "dilation": pair(1, 2),
                        "output_padding": pair(0, 1),
                    },
                ),
                ("max_pool", {"kernel": pair(1, 3), "stride": pair(1, 3), "ceil_mode": pick((True, False))}),
                ("avg_pool", {"kernel": pair(1, 3), "padding": pair(0, 1)}),
                ("adaptive_avg_pool", {"size": pair(2, 9)}),
                (
                    "upsample",
                    {"scale": pick((2, 3, 1.5, 1.7, 1.25, 0.5, (2, 3))), "mode": pick(("nearest", "bilinear"))},
                ),
                ("upsample", {"size": pair(2, 18), "mode": pick(("nearest", "nearest-exact", "bilinear", "bicubic"))}),
                ("upsample", {"size": pair(2, 16), "mode": pick(("bilinear", "bicubic")), "align_corners": True}),
                ("pixel_shuffle", {"factor": pick((2, 3))}),
                ("pixel_unshuffle", {"factor": pick((2, 3))}),
                ("slice", {"axis": pick((1, 2)), "start": some(0, 2), "step": some(1, 2)}),
                ("slice", {"axis": 0, "start": some(0, 1)}),
                ("pad", {"padding": (pair(-1, 2), pair(-1, 2)), "mode": pick(("constant", "reflect", "replicate"))}),
                ("roll", {"shifts": pair(-4, 4)}),
                ("permute", {"order": (0, 2, 1)}),
                ("flip", {"over": pick(((1,), (2,), (1, 2)))}),
            ]
        )
        if kind == "pixel_shuffle" and shape[0] % arguments["factor"] ** 2:
            source = self.add("conv", [source], channels=2 * arguments["factor"] ** 2, kernel=1) or source
        return self.add(kind, [source], **arguments)

    def join(self, source: str) -> str | None:
        """Add a layer that joins two maps, after making them of one size."""
        other = self.random.choice(self.maps())
        size, channels = self.shapes[source][1:], self.shapes[source][0]
        kind, axis = self.random.choice((("add", 0), ("concat", 0), ("concat", 1), ("concat", 2)))
        if kind == "concat" and axis:
            size = tuple(
                n if at + 1 != axis else m for at, (n, m) in enumerate(zip(size, self.shapes[other][1:], strict=True))
            )
        if self.shapes[other][1:] != size:
            how = self.random.choice(("crop", "upsample", "pool"))
            amounts = tuple((0, m - n) for n, m in zip(self.shapes[other][1:], size, strict=True))
            made = (
                self.add("pad", [other], padding=amounts)
                if how == "crop"
                else self.add("adaptive_avg_pool", [other], size=size)
                if how == "pool"
                else self.add("upsample", [other], size=size, mode=self.random.choice(("nearest", "bilinear")))
            )
            other = made or other
        if self.shapes[other][0] != channels and (kind == "add" or axis):
            other = self.add("conv", [other], channels=channels, kernel=1) or other
        return self.add(kind, [source, other], **({"axis": axis} if kind == "concat" else {}))

    def rearrange(self, source: str) -> str | None:
        """Add reshapes and permutes that move positions: shuffles, patches, blocks, spelled out."""
        channels, height, width = self.shapes[source]
        rows, columns = self.random.choice((1, 2, 3)), self.random.choice((1, 2))
        how = self.random.choice(("shuffle", "patches", "blocks", "windows"))
        if how == "windows":
            return self._windows(source)
        if how == "shuffle":
            made = self.add("conv", [source], channels=rows * columns * 2, kernel=1)
            split, order = (2, rows, columns, height, width), (0, 3, 1, 4, 2)
            after = (2, height * rows, width * columns)
        elif height % rows or width % columns:
            return None
        else:
            made = source if channels > 1 else self.add("conv", [source], channels=2, kernel=1)
            channels = max(channels, 2)
            split, order = (channels, height // rows, rows, width // columns, columns), (0, 2, 4, 1, 3)
            after = (channels * rows * columns, height // rows, width // columns)
            if how == "blocks":  # rows of blocks beside each other
                order, after = (0, 2, 1, 3, 4), (channels, height, width)
        for kind, arguments in (
            ("reshape", {"shape": split}),
            ("permute", {"order": order}),
            ("reshape", {"shape": after}),
        ):
            made = made and self.add(kind, [made], **arguments)
        if made is None:
            self.drop_to_maps()
        return made

    def _windows(self, source: str) -> str | None:
        """Add the windows of a map in a row, and the map of these."""
        made = self.add(
            "unfold", [source], kernel=2, padding=self.random.randint(0, 1), stride=self.random.randint(1, 2)
        )
        if made is None:
            return None
        op = self.layers[-1].op
        counts = op._count(op.x[1:])
        made = self.add("reshape", [made], shape=(op.output[0], *counts))
        if made is not None:  # each channel sees one position of its window: mixed, before any are cut
            mixed = self.add("conv", [made], channels=2, kernel=1)
            del self.shapes[made]
            made = mixed
        if made is None:
            self.drop_to_maps()
        return made

    def drop_to_maps(self) -> None:
        """Drop layers at the end that are no maps."""
        while self.layers and len(self.layers[-1].op.output) != 3:
            del self.shapes[self.layers.pop().name]


def seen_by_gradients(network: Network, tracer: RegionTracer, seed: int) -> torch.Tensor:
    """Return a mask `[rows, columns, H, W]`: which positions of the input each unit of the output sees."""
    from archcalc.runtime.building import build_module

    name = network.outputs[0]
    linear = linear_network(network, name, tracer)
    torch.manual_seed(seed)
    module = build_module(linear).double().eval()
    for parameter in module.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.5)
    given = torch.ones(1, *network.inputs["input"], dtype=torch.float64)
    cut = [torch.ones(1, *shape, dtype=torch.float64) for name, shape in linear.inputs.items() if name != "input"]
    jacobian = torch.autograd.functional.jacobian(lambda x: module(x, *cut).sum((0, 1)), given, vectorize=True)
    found = jacobian.abs().sum((2, 3))
    return found > DUST * found.amax()


def predicted(box: Region) -> torch.Tensor:
    """Return a region as a mask over the input's positions."""
    mask = torch.zeros([side.extent for side in box.intervals], dtype=torch.bool)
    for sides in box.rectangles:
        mask[torch.meshgrid(*(torch.tensor(sorted(side)) for side in sides), indexing="ij")] = True
    return mask


class Walk:
    """What one unit reads, position by position and without any algebra, as if padding were part of the input."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.is_simple = all(self._is_simple(layer.op) for layer in network)
        looks = [look for layer in network for access in layer.op.accesses() for look in access]
        self.has_bounds = all(look.edge is PaddingMode.NOTHING for look in looks if isinstance(look, Reads))
        """True if nothing in the input is read in place of padding, so that the formula's intervals hold all."""

    @staticmethod
    def _is_simple(op: Operator) -> bool:
        """True if each output axis reads the input axis of the same number, nothing is laid end to end or wrapped."""
        moved = op.axes() != tuple((axis,) for axis in range(len(op.output))) or op.kind in ("roll", "slice")
        looks = [look for access in op.accesses() for look in access[1:]]
        return (
            not moved
            and op.stages() == (op,)
            and op.laid_along() in (None, 0)
            and all(isinstance(look, Reads) for look in looks)
        )

    def hull(self, unit: tuple[int, ...]) -> tuple[list[tuple[int, int]] | None, bool]:
        """Return the hull of what a unit sees, and whether any of it was read in padding."""
        pending: dict[str, set[tuple[int, ...]]] = {self.network.outputs[0]: {unit}}
        touched = False
        for layer in reversed(self.network.layers):
            here = pending.pop(layer.name, set())
            for source, access in zip(layer.inputs, layer.op.accesses(), strict=True):
                sizes = self.network.shape_of(source)[1:]
                there = {
                    place
                    for at in here
                    for place in product(*(look.at(one) for look, one in zip(access[1:], at, strict=True)))
                }
                touched |= any(not 0 <= one < n for place in there for one, n in zip(place, sizes, strict=True))
                pending.setdefault(source, set()).update(there)
        seen = pending.get("input")
        if not seen:
            return None, touched
        return [(min(along), max(along)) for along in zip(*seen, strict=True)], touched


def difference(network: Network, seed: int, counts: Counter[str] | None = None) -> str | None:
    """Return how regions or intervals differ from gradients at any unit; None if they do not."""
    counts = Counter() if counts is None else counts
    tracer = RegionTracer(network)
    name = network.outputs[0]
    layer, field = network[name], tracer.propagation[name]
    axes = tracer.axes(layer)
    if sorted(axes) != [1, 2] or None in field.stride:
        counts["networks whose positions are lost"] += 1
        return None
    masks = seen_by_gradients(network, tracer, seed)
    walk = Walk(network)
    for place in product(*map(range, layer.output_shape[1:])):
        unit = tuple(place[axis - 1] for axis in axes)
        [box] = tracer.regions(name, unit)
        if box.is_global:
            counts["units of a path that pools a whole side"] += 1
            continue
        mask = predicted(box)
        counts["units"] += 1
        counts["with holes"] += box.share not in (0, 1)
        counts["seeing nothing"] += not box.count
        if not torch.equal(mask, masks[place]):
            return f"unit {place}: {box.rectangles}, gradients see {masks[place].nonzero().tolist()}"
        raw = [side.unclipped for side in box.intervals]
        if None in raw:
            if box.count and walk.has_bounds:
                return f"unit {place}: nothing by the formula, {box.count} positions seen"
            if walk.is_simple and walk.hull(place)[0] is not None:
                return f"unit {place}: nothing by the formula, {walk.hull(place)} by a walk"
            continue
        if walk.is_simple:
            hull, touched = walk.hull(place)
            if hull != raw:
                return f"unit {place}: {raw} by the formula, {hull} by a walk"
            if not touched:
                counts["that see no padding"] += 1
                if box.count and raw != [side.clipped for side in box.intervals]:
                    return f"unit {place}: {raw} by the formula, {[side.clipped for side in box.intervals]} seen"
        lengths = [last - first + 1 for first, last in raw]
        if walk.has_bounds and any(
            side.clipped and not ends[0] <= side.clipped[0] <= side.clipped[1] <= ends[1]
            for ends, side in zip(raw, box.intervals, strict=True)
        ):
            return f"unit {place}: {raw} by the formula do not hold {[side.clipped for side in box.intervals]}"
        for least, length, most in zip(field.smallest, lengths, field.size, strict=True):
            if not (least if field.exact else 0) <= length <= most:
                return f"unit {place}: {lengths} positions, {field.smallest} to {field.size} by the formula"
    return None


def main() -> int:
    """Compare random networks; print the first that differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts: Counter[str] = Counter()
    wrong = 0
    for seed in range(options.seed * 1_000_000, options.seed * 1_000_000 + options.examples):
        network = Maker(seed).network()
        counts["networks"] += 1
        counts.update(f"with {kind}" for kind in {layer.op.kind for layer in network})
        found = difference(network, seed, counts)
        if found:
            wrong += 1
            print(
                f"seed {seed}: {network.inputs}",
                *(f"  {one.name} {one.op} {one.inputs}" for one in network),
                found,
                sep="\n",
            )
    print(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    print(f"{wrong} networks differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
