"""What each layer sees, followed through a network: a field along each dimension, with the axes it runs along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from math import lcm
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape
from archcalc.collection import no_collection
from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.ops.reads import MOST_RESIDUES, Reads
from archcalc.ops.vocabulary import GLANCE, SAME_POSITION, UNREAD, WHOLE_AXIS, AxisAccess, same_axes
from archcalc.receptive.digits import (
    FREE,
    MIXED,
    Word,
    all_of_digit,
    along,
    inner_along,
    of_digit,
    plain,
    positions_in,
    rearranged,
    sized,
    stretched,
    without,
)
from archcalc.receptive.parts import (
    ITSELF,
    Field,
    are_centered,
    as_bound,
    join,
    seen_at,
    through,
)

Term = Mapping[int, Field]
"""The field along each dimension in which positions are distinct."""


class FieldState(NamedTuple):
    """What is known of a layer's output, seen from one network input."""

    axes: tuple[Word, ...]
    """The digits of the input's dimensions that run along each axis of the output."""
    terms: tuple[Term, ...]
    """What positions see: the union of terms, each the product of its dimensions. Nearly always one.

    A term whose field is empty along one dimension sees nothing at all, so terms are added up dimension by dimension
    only if they see something at the same positions.
    """
    whole: frozenset[int] = frozenset()
    """Dimensions of which all positions are seen. A gate puts a dimension here and leaves its field as it is."""
    split: frozenset[int] = frozenset()
    """Dimensions that share an axis with others, or run along several."""
    aligned: bool = True

    def field(self, dimension: int) -> Field | None:
        """Return the field along one dimension, over all terms; None if its positions are not distinct."""
        fields = [term[dimension] for term in self.terms if dimension in term]
        result = fields[0] if fields else None
        for other in fields[1:]:
            result = join(result or (), other)
        return result


def free_axis(network: Network, source: str) -> int:
    """Return the axis of a network input that is no dimension: its channels or features, by its names; else axis 0."""
    names = network.axes[source]
    return next((names.index(name) for name in ("channels", "features") if name in names), 0)


def extents_of(network: Network, source: str) -> Shape:
    """Return the sizes of a network input along its dimensions."""
    shape, free = network.inputs[source], free_axis(network, source)
    return (*shape[:free], *shape[free + 1 :])


class AccessSummary:
    """How an operator reads its inputs, wherever in a network it is used."""

    __slots__ = ("clear", "laid", "moves", "rearranges", "stages")

    def __init__(self, op: Operator) -> None:
        self.moves = tuple(
            tuple((axis, look) for axis, look in enumerate(access) if not _stays(look)) for access in op.accesses()
        )
        """For each input, the axes along which a position reads more than itself, or another position."""
        axes = op.axes()
        self.rearranges = not axes or axes is not same_axes(len(axes))  # a single number has lost its input's axes
        """True if output axes are made of others than the input axis of the same number."""
        self.clear = not self.rearranges and not any(self.moves)
        """True if every position reads only itself."""
        stages = op.stages()
        self.stages = stages if stages != (op,) else ()
        """Operators that together read the same, one after another; empty if it is simple itself."""
        self.laid = op.laid_along()
        """The axis along which inputs are laid end to end, so that a position reads only one; None if there is none."""


def _stays(look: Reads | AxisAccess) -> bool:
    """Return True if a position reads only itself. Symbolic windows are not compared."""
    if look is SAME_POSITION or isinstance(look, AxisAccess):
        return look is SAME_POSITION
    taps = look.taps[0]
    numbers = (look.advance, *taps[:2]) if taps and len(look.taps) == 1 else ()
    return {*map(type, numbers)} == {int} and numbers == (1, 0, 0)


access_summary = lru_cache(maxsize=8192)(AccessSummary)
"""The summary of an operator, made once."""


class Propagation:
    """Follows what is seen through a network, in the order of execution."""

    @no_collection()
    def __init__(self, network: Network, start: Field = ITSELF) -> None:
        self.network = network
        self.views: dict[str, dict[str, FieldState]] = {}
        """For each network input, what each layer that depends on it sees of it."""
        self.source: dict[str, str] = {}
        """The first network input that each layer depends on."""
        self.unaligned: list[str] = []
        """Joins whose paths disagree though each path is aligned: where the network stops being aligned."""
        disagreeing: set[str] = set()
        for source, shape in network.inputs.items():
            words = [*map(along, range(len(shape) - 1))]
            if shape:
                words.insert(free_axis(network, source), ())
            axes = tuple(words)
            terms = (dict.fromkeys(range(len(shape) - 1), start),)
            view = self.views[source] = {source: FieldState(axes, terms)}
            self.source.setdefault(source, source)
            for layer in network.layers:
                if any(name in view for name in layer.inputs):
                    self.source.setdefault(layer.name, source)
                    if self._propagate(view, layer.name, layer.op, layer.inputs):
                        disagreeing.add(layer.name)
        if disagreeing:
            self.unaligned += [layer.name for layer in network.layers if layer.name in disagreeing]

    def _propagate(self, view: dict[str, FieldState], name: str, op: Operator, sources: Sequence[str]) -> bool:
        """Compute the state of a layer; return True if it joins aligned paths that disagree."""
        if len(sources) == 1:  # most layers
            summary = access_summary(op)
            state = view[sources[0]]
            view[name] = state if summary.clear else self._through(state, op, summary, 0)
            return False
        states = [state for state in self.entering(view, op, sources) if state is not None]
        state = states[0]
        for other in states[1:]:
            state = _joined(state, other)
        laid = access_summary(op).laid
        if laid is not None and len(states) > 1 and state.axes[laid]:
            state = _bound_along(state, {digit.dimension for digit in state.axes[laid]})
        view[name] = state
        return not state.aligned and all(view[source].aligned for source in sources if source in view)

    def entering(self, view: dict[str, FieldState], op: Operator, sources: Sequence[str]) -> list[FieldState | None]:
        """Return the state of a layer along each of its inputs, before they are joined; None without the input."""
        summary = access_summary(op)
        return [
            self._through(view[source], op, summary, number) if source in view else None
            for number, source in enumerate(sources)
        ]

    def _through(self, state: FieldState, op: Operator, summary: AccessSummary, number: int) -> FieldState:
        for stage in summary.stages:
            state = self._through(state, stage, access_summary(stage), 0)
        if summary.stages:
            return state
        for axis, look in summary.moves[number]:
            word = state.axes[axis]
            if len(word) == 1 and word[0].dimension not in state.split:
                state = _along_dimension(state, word[0].dimension, look)
            elif word:
                state = _along_digits(state, op, number, axis, look)
        if summary.rearranges:
            return _rearranged(state, op, op.inputs[number])
        rank = len(op.output)
        if len(state.axes) > rank:  # an input with more axes, which are read as a whole: filters
            return state._replace(axes=state.axes[:rank])
        return state

    def units(self, name: str, source: str) -> tuple[FieldState, list[Word]]:
        """Return what units of a layer, with all their channels, see of a network input, and the words of its axes."""
        state = self.views[source][name]
        return with_all_channels(state, sized(state.axes, self.network.shape_of(name)))


def _mapped(state: FieldState, dimension: int, reads: Reads) -> FieldState:
    """Return the state with the field along a dimension after what is read along it."""
    terms = tuple(
        [{**term, dimension: through(term[dimension], reads)} if dimension in term else term for term in state.terms]
    )
    return state._replace(terms=terms)


def _along_dimension(state: FieldState, dimension: int, look: Reads | AxisAccess) -> FieldState:
    if isinstance(look, Reads):
        return _mapped(state, dimension, look)
    if look is GLANCE:
        return state._replace(whole=state.whole | {dimension})
    terms = tuple([{own: field for own, field in term.items() if own != dimension} for term in state.terms])
    whole = state.whole if look is UNREAD else state.whole | {dimension}
    return state._replace(terms=terms, whole=whole)


def _along_digits(state: FieldState, op: Operator, number: int, axis: int, look: Reads | AxisAccess) -> FieldState:
    """Return the state after what is read along an axis of several digits, or of one digit among others."""
    shape = op.inputs[number]
    words = sized(state.axes, shape)
    word = [digit for digit in words[axis] if digit.dimension != FREE]
    is_inner = inner_along(words, axis)
    if isinstance(look, AxisAccess) and look is not UNREAD and is_inner:
        for digit in sorted(word, key=lambda digit: -digit.weight):  # what is faster keeps its weight
            state = _mapped(state, digit.dimension, all_of_digit(digit, look.keeps_position))
            if not look.keeps_position:
                words = without(words, digit)
        axes, split = plain(words)
        return state._replace(axes=axes, split=split)
    if isinstance(look, Reads) and len(words[axis]) == 1 and word[0].weight is not MIXED:
        [digit] = word
        size = op.output[op.axes().index((axis,))]
        state = _mapped(state, digit.dimension, of_digit(look, digit, size, not is_inner))
        if size != digit.size and is_inner:
            scaled = [
                tuple(
                    each._replace(weight=each.weight // digit.size * size)
                    if each.dimension == digit.dimension and each.weight > digit.weight
                    else each
                    for each in other
                )
                for other in words
            ]
            scaled[axis] = (digit._replace(size=size),)
            axes, split = plain(scaled)
            state = state._replace(axes=axes, split=split)
        return state
    for digit in word:
        state = _along_dimension(state, digit.dimension, WHOLE_AXIS if isinstance(look, Reads) else look)
        if look is not GLANCE:
            state = _mixed(state, digit.dimension)
    return state


def _mixed(state: FieldState, dimension: int) -> FieldState:
    """Return the state with the places of a dimension unknown."""
    axes = tuple(
        tuple(digit._replace(weight=MIXED) if digit.dimension == dimension else digit for digit in word)
        for word in state.axes
    )
    return state._replace(axes=axes, split=state.split | {dimension})


def _rearranged(state: FieldState, op: Operator, shape: Shape) -> FieldState:
    words = rearranged(op, sized(state.axes, shape))
    for dimension, reads in stretched(words):
        state = _mapped(state, dimension, reads)
    axes, split = plain(words)
    return state._replace(axes=axes, split=split)


def _bound_along(state: FieldState, dimensions: Iterable[int]) -> FieldState:
    for dimension in dimensions:
        terms = tuple(
            {**term, dimension: as_bound(term[dimension])} if dimension in term else term for term in state.terms
        )
        state = state._replace(terms=terms)
    return state


def _joined(left: FieldState, right: FieldState) -> FieldState:
    if left is right or left == right:
        return left
    aligned = (
        left.aligned
        and right.aligned
        and all(
            mine is theirs or are_centered(mine, theirs)
            for term in left.terms
            for other in right.terms
            for dimension, mine in term.items()
            if (theirs := other.get(dimension)) is not None
        )
    )
    terms = list(left.terms)
    for term in right.terms:
        _add(terms, term)
    split, whole = left.split | right.split, left.whole | right.whole
    if left.axes == right.axes:
        return FieldState(left.axes, tuple(terms), whole, split, aligned)
    here, there = _places(left.axes), _places(right.axes)
    axes = tuple(mine or theirs for mine, theirs in zip_longest(left.axes, right.axes, fillvalue=()))
    joined = FieldState(axes, tuple(terms), whole, split, aligned)
    for dimension in here.keys() & there.keys():
        if here[dimension] != there[dimension]:  # the paths count its positions differently
            joined = _mixed(_along_dimension(joined, dimension, WHOLE_AXIS), dimension)
    return joined


def _places(words: Sequence[Word]) -> dict[int, list[tuple[int, Any]]]:
    """Return the axes and the weights of the digits of each dimension."""
    found: dict[int, list[tuple[int, Any]]] = {}
    for axis, word in enumerate(words):
        for digit in word:
            if digit.dimension != FREE:
                found.setdefault(digit.dimension, []).append((axis, digit.weight))
    return found


def _add(terms: list[Term], term: Term) -> None:
    """Add a term to those that see something at the same positions, dimension by dimension; else put it beside them."""
    support = _support(term)
    for index, known in enumerate(terms):
        if known == term:
            return
        if not term or not known or _support(known) == support:
            joined = {
                dimension: join(field, theirs) if (theirs := term.get(dimension)) is not None else field
                for dimension, field in known.items()
            }
            terms[index] = {**term, **joined}
            return
    terms.append(term)


def _support(term: Term) -> tuple[Any, ...]:
    """Return the dimensions along which some positions see nothing, with those that see something."""
    found = []
    for dimension, field in sorted(term.items()):
        if any(None in part.first for part in field):
            period = min(lcm(*(part.period for part in field)), MOST_RESIDUES)
            found.append((dimension, tuple(seen_at(field, position) is not None for position in range(period))))
    return tuple(found)


def with_all_channels(state: FieldState, words: list[Word]) -> tuple[FieldState, list[Word]]:
    """Return the state of units that have all channels, and so all positions that lie along channels."""
    placed = {digit.dimension for word in positions_in(words).values() for digit in word} if state.split else ()
    for word in words:
        for digit in reversed(word) if any(part.dimension == FREE for part in word) else ():
            if digit.dimension in placed:
                state = _mapped(state, digit.dimension, all_of_digit(digit, keeps_position=False))
                words = without(words, digit)
                break
        else:
            continue
        return with_all_channels(state, words)
    return state, words
