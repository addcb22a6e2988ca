"""The recurrence that papers publish for receptive fields, as V-Net did: sizes as if every unit saw the most.

From size 1 and jump 1: a window adds ``dilation · (kernel − 1) · jump`` to the size, and multiplies the jump by its
stride. A transposed convolution divides the jump by its stride first. A join takes the larger size. Upsampling counts
as the transposed convolution with the same weights: the nearest by 2 has a kernel of 2, the linear one of 4.

After upsampling it is a bound of what a unit sees; where paths with other centers meet, it may be too small. It gives
Table 1 of Milletari, Navab and Ahmadi, *V-Net*, 2016.
"""

from __future__ import annotations

from typing import Any

from archcalc.arithmetic import is_fraction, ratio
from archcalc.network import Network
from archcalc.ops.reads import Reads
from archcalc.receptive.parts import Part
from archcalc.receptive.propagation import Propagation


class Recurrent(Part):
    """A part that always begins at 0, so that only its size and its jump are followed."""

    __slots__ = ()

    def through(self, reads: Reads) -> Recurrent:
        """Return the part after an operator: larger by the spread of its taps."""
        first, last = reads.drift
        grown = ratio(abs(last * self.advance - first * self.advance), 1)
        return self._replace(advance=ratio(self.advance * reads.advance, reads.period), last=(self.last[0] + grown,))


class Recurrence(Propagation):
    """The published recurrence through a network."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, start=(Recurrent(1, (0,), (0,)),))

    def __getitem__(self, name: str) -> tuple[Any, ...]:
        """Return the size at a layer along each dimension; None where positions are lost."""
        source = self.source[name]
        state = self.views[source][name]
        fields = [state.field(dimension) for dimension in range(len(self.network.inputs[source]) - 1)]
        sizes = (None if field is None else max(part.last[0] for part in field) + 1 for field in fields)
        return tuple(int(size) if is_fraction(size) and size.denominator == 1 else size for size in sizes)
