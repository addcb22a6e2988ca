"""Match the rows of a table to layers: by name, by kind and order, by position.

1. A row is matched to the layer of its name; small misspellings are accepted.
2. Between two matched rows, a row of a known kind (ReLU, MAXPOOL) is the next layer of that kind. Activations,
   normalization, dropout and flattening may be left out.
3. What is left is matched by position, if there are as many rows as layers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise

from archcalc.analysis.rows import FOLDED, TableRow
from archcalc.homework.cells import Cell
from archcalc.homework.key import TOTAL
from archcalc.homework.submissions.layer_kinds import kind_of, ordinal_of
from archcalc.structs import Struct
from archcalc.words import quote

CLOSE = 0.75
"""The similarity to a layer's name above which a row's name is taken for its misspelling."""
MOST_SLIPS = 400
"""The number of rows that are searched for misspelt names, and of layers for each."""
MOST_AHEAD = 50
"""The layers that are searched for one of a kind."""
MOST_NAMED = 12
"""The number of rows that a remark names."""
TOTALS = frozenset({TOTAL, "totals", "sum", "totalparams", "overall"})
PASSED = TOTALS | {"input", "image", "data", "inputlayer", "inputimage", "inputdata", "example"}


class MatchedRows(Struct):
    """The rows of a submission."""

    rows: tuple[TableRow, ...]
    """The rows of the key; one that the student splits is several."""
    cells: Mapping[str, Sequence[Cell]]
    """The cells of each row by its name, without rows that the student left out."""
    remarks: tuple[str, ...]


class _Item(Struct):
    """A layer, or the row of a group, that a row of a submission may be."""

    name: str
    kinds: frozenset[str]
    is_head: bool

    @property
    def may_be_left_out(self) -> bool:
        return bool(self.kinds & (FOLDED | {"flatten"}))


@dataclass
class _Matching:
    """The layers of rows, by the row's place and the layer's index."""

    names: Sequence[str]
    shown: Sequence[str]
    items: Sequence[_Item]
    places: dict[int, int] = field(default_factory=dict)
    by_kind: set[int] = field(default_factory=set)

    def anchors(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield each pair of neighboring matches whose layers are in order, as (place, layer) before and after."""
        yield from pairwise([(-1, -1), *sorted(self.places.items()), (len(self.names), len(self.items))])

    def match_kinds(self) -> None:
        """Match rows of a known kind to the next layers of that kind, between rows that are matched."""
        taken = set(self.places.values())
        found: dict[int, int] = {}
        for (place, layer), (next_place, next_layer) in self.anchors():
            index = layer + 1
            for between in range(place + 1, next_place):
                kind = kind_of(self.shown[between])
                ahead, end = index, min(next_layer, index + MOST_AHEAD)
                while kind and ahead < end and (kind not in self.items[ahead].kinds or ahead in taken):
                    if not self.items[ahead].may_be_left_out and ahead not in taken:
                        ahead = end
                    ahead += 1
                if kind and ahead < end:
                    found[between] = ahead
                    index = ahead + 1
        self.places |= found
        self.by_kind |= set(found)

    def match_numbers(self) -> None:
        """Match rows such as `Conv 3` to the third convolution, if no row of that kind has the name of a layer."""
        named = {kind_of(self.shown[place]) for place in self.places}
        wanted: dict[tuple[str, int], int] = {}
        for place, name in enumerate(self.shown):
            kind, number = kind_of(name), ordinal_of(name)
            if kind and place not in self.places:
                if number is None or (kind, number) in wanted:
                    named.add(kind)  # numbered in another way, as Keras does: conv2d, conv2d_1
                else:
                    wanted[kind, number] = place
        layers: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            for kind in item.kinds:
                layers.setdefault(kind, []).append(index)
        for (kind, number), place in wanted.items():
            if kind not in named and 0 < number <= len(layers.get(kind, ())):
                self.places[place] = layers[kind][number - 1]

    def match_positions(self) -> None:
        """Match rows between matched ones by position, where as many rows as heads of rows are left."""
        heads = [index for index, item in enumerate(self.items) if item.is_head]
        rank = {index: position for position, index in enumerate(heads)}
        free = [place for place in range(len(self.names)) if self.places.get(place, heads[0] if heads else 0) in rank]
        position = {place: order for order, place in enumerate(free)}
        known = {position[place]: rank[index] for place, index in self.places.items() if index in rank}
        taken = set(known.values())
        ends = (-1, -1), (len(free), len(heads))
        for (place, head), (next_place, next_head) in pairwise([ends[0], *sorted(known.items()), ends[1]]):
            if next_place - place == next_head - head:  # a found layer that is out of order makes this false
                for step in range(1, next_place - place):
                    if head + step not in taken:
                        self.places[free[place + step]] = heads[head + step]


def match_rows(
    rows: Sequence[Sequence[Cell]],
    name_index: int | None,
    wanted: Sequence[TableRow],
    inputs: Sequence[str],
    printed: bool = False,
) -> MatchedRows:
    """Return the cells of each row of the key, and remarks.

    Args:
        rows: the rows below the headings.
        name_index: the column with the names; None if there is none.
        wanted: the rows of the key.
        inputs: the network's inputs, whose rows are ignored, as is a total that is not asked.
        printed: True if the names are those of a printed summary, which numbers layers in its own way.
    """
    layers = {_plain(row.name) for row in wanted}
    passed = {*map(_plain, inputs), *PASSED} - layers
    shown = [row[name_index or 0].text if len(row) > (name_index or 0) else "" for row in rows]
    plain = [_plain(name) if name_index is not None else "" for name in shown]
    remarks = [
        f"ignored the row {quote(shown[index])}: it is not asked"
        for index in range(len(rows))
        if plain[index] in passed & TOTALS
    ]
    keep = [index for index in range(len(rows)) if plain[index] not in passed]
    named = name_index is not None
    items = list(_items([row for row in wanted if row.name != TOTAL]))
    matching = _Matching([plain[index] for index in keep], [shown[index] if named else "" for index in keep], items)
    totals = [place for place, name in enumerate(matching.names) if name == TOTAL and TOTAL in layers]
    if printed:
        matching.match_kinds()
    if not printed or not matching.places:
        matching.places |= _by_name(matching.names, items)
        matching.match_numbers()
        matching.match_kinds()
    matching.match_positions()
    for place in totals:
        matching.places.pop(place, None)
    for place, index in enumerate(keep):
        item = matching.places.get(place)
        if item is None and place not in totals:
            is_double = matching.names[place] in {matching.names[known] for known in matching.places}
            why = "the first row of this name counts" if is_double else "no layer has this name"
            remarks.append(f"ignored the row {quote(shown[index])}: {why}")
        elif item is not None and place not in matching.by_kind and matching.names[place]:
            if not _alike(matching.names[place], items[item].name):
                remarks.append(f"read the row {quote(shown[index])} as {items[item].name}, by its position")
    remarks += _kind_remark(matching, items)
    found = {items[item].name: place for place, item in sorted(matching.places.items(), reverse=True)}
    effective = [part for row in wanted for part in _split(row, found)]
    cells = {row.name: rows[keep[found[row.name]]] for row in effective if row.name in found}
    if totals:
        cells[TOTAL] = rows[keep[totals[0]]]
    return MatchedRows(tuple(effective), cells, tuple(remarks))


def _kind_remark(matching: _Matching, items: Sequence[_Item]) -> Iterator[str]:
    """Yield one remark on the rows that were read by kind and order."""
    read = [
        f"{quote(matching.shown[place])} as {items[matching.places[place]].name}"
        for place in sorted(matching.by_kind)
        if not _alike(matching.names[place], items[matching.places[place]].name)
    ]
    if read:
        more = f" and {len(read) - MOST_NAMED:,} more" if len(read) > MOST_NAMED else ""
        yield f"read rows by kind and order: {', '.join(read[:MOST_NAMED])}{more}"


def _items(rows: Sequence[TableRow]) -> Iterator[_Item]:
    for row in rows:
        if row.of_group:
            yield _Item(row.name, frozenset(), is_head=True)
            continue
        for position, costs in enumerate(row.layers):
            op = costs.layer.op
            yield _Item(costs.name, frozenset({op.category, op.kind}), position == 0)


def _split(row: TableRow, found: Mapping[str, int]) -> Iterator[TableRow]:
    """Yield a row, or its parts if the student lists some of its layers in rows of their own."""
    if row.of_group or not any(costs.name in found for costs in row.layers[1:]):
        yield row
        return
    part = TableRow(row.name, row.layers[:1])
    for costs in row.layers[1:]:
        if costs.name in found:
            yield part
            part = TableRow(costs.name, [costs])
        else:
            part.layers.append(costs)
    yield part


def _plain(name: str) -> str:
    """Return a name without capitals and marks: `Max Pool_1` becomes `maxpool1`."""
    return re.sub(r"[^\w.]|_", "", name.casefold())


def _digits(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", name))


def _alike(name: str, layer: str) -> bool:
    """True if a name is a layer's or its last part, perhaps misspelt, with the same numbers."""
    layer = _plain(layer)
    if name in (layer, layer.rsplit(".", 1)[-1]):
        return True
    if _digits(name) != _digits(layer):
        return False
    likeness = SequenceMatcher(None, name, layer)
    return likeness.real_quick_ratio() >= CLOSE and likeness.ratio() >= CLOSE  # the first looks at the lengths only


def _by_name(names: Sequence[str], items: Sequence[_Item]) -> dict[int, int]:
    """Return the layer's index by the row's, for names that occur once and mean one layer.

    The heads of rows come first: the last part of their name may be that of a folded layer elsewhere.
    """
    plain = [_plain(item.name) for item in items]
    last = [name.rsplit(".", 1)[-1] for name in plain]
    heads = [index for index, item in enumerate(items) if item.is_head]
    pools: list[Mapping[str, int]] = [
        _single(plain),
        {name: heads[place] for name, place in _single([last[index] for index in heads]).items()},
        _single(last),
    ]
    once = {name: place for name, place in _single(names).items() if name}
    found = {place: pool[name] for name, place in once.items() for pool in pools[::-1] if name in pool}
    taken = set(found.values())
    left = [place for name, place in once.items() if place not in found and not _is_kind(name)]
    same_digits: dict[tuple[str, ...], list[int]] = {}
    for index in heads:
        same_digits.setdefault(_digits(plain[index]), []).append(index)
    for place in left if len(names) <= MOST_SLIPS else ():
        possible = same_digits.get(_digits(names[place]), ())[:MOST_SLIPS]
        close = [index for index in possible if index not in taken and _alike(names[place], items[index].name)]
        if len(close) == 1:
            found[place] = close[0]
            taken.add(close[0])
    return found


def _is_kind(name: str) -> bool:
    """Return True for the name of a kind without a number, such as `conv2d`, which is not a misspelt `conv2`."""
    return bool(kind_of(name)) and ordinal_of(name) is None


def _single(names: Sequence[str]) -> dict[str, int]:
    """Return the index of every name that occurs once."""
    counts = Counter(names)
    return {name: place for place, name in enumerate(names) if counts[name] == 1}
