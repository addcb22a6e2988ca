"""What a layer is, and what the letters in its derivations mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import shape_text
from archcalc.ops.written import written_arguments
from archcalc.render.folding.text import argument_text
from archcalc.symbolic.derivations import Explanation, meanings_of
from archcalc.symbolic.symbolic_layer import ITEMSIZE, SAMPLES, Line, Meaning
from archcalc.symbolic.terms import names_in

FIELD_LETTERS = {"A": "first position seen", "J": "effective stride", "R": "receptive field size"}
"""Letters of the receptive field before a layer. They have a number if the layer has more inputs than one."""


def with_legend(network: Network, name: str, found: Sequence[Explanation]) -> list[Explanation]:
    """Return the derivations of a layer after what the layer is, and what each letter in them means."""
    op = network[name].op
    call = _call(op)
    shapes = f"{' and '.join(map(shape_text, op.inputs))} → {shape_text(network[name].output_shape)}"
    heading = f"{f'{{{call}}}' if ':' in call else call} · {shapes}"
    remarks: dict[str, list[str]] = {}
    for letter, meaning in sorted(_letters(network, name, found), key=lambda item: item[1].whose[:1] or "z"):
        if letter != meaning.what:  # an argument without a letter has its own name
            remarks.setdefault(meaning.whose or "where", []).append(f"{letter} {meaning.what or 'size'}")
    lines = [Line(whose, remark=", ".join(words)) for whose, words in remarks.items()]
    what = Line("", remark=op.summary().replace("`", ""))
    return [Explanation(name, "layer", heading, (what, *lines)), *found]


def _call(op: Operator) -> str:
    """Return an operator and its arguments as a spec has them, without those at their defaults."""
    head, principal, rest = op.kind, None if op.joins else op.principal(), written_arguments(op)
    if principal in rest and rest[principal] is not None:
        head += f": {argument_text(rest.pop(principal))}"
    return ", ".join([head, *(f"{name}: {argument_text(value)}" for name, value in rest.items())])


def _letters(network: Network, name: str, found: Sequence[Explanation]) -> Iterator[tuple[str, Meaning]]:
    """Yield each letter that the derivations use, and its meaning."""
    layer = network[name]
    known = meanings_of(layer.op, tuple(network.axes[source] for source in layer.inputs), network.axes[name])
    in_fields = {letter for explanation in found if explanation.quantity == "rf" for letter in _used(explanation)}
    others = {letter for explanation in found if explanation.quantity != "rf" for letter in _used(explanation)}
    yield from ((letter, meaning) for letter, meaning in known.items() if letter in others)
    yield from ((letter, meaning) for letter, meaning in {"N": SAMPLES, "B": ITEMSIZE}.items() if letter in others)
    yield from ((letter, meaning) for letter, meaning in known.items() if letter in in_fields - others - {"B'"})
    for letter in sorted(in_fields - {"B'"}):
        if letter[0] in FIELD_LETTERS and letter not in known:
            whose = "output" if letter.endswith("'") else f"input {letter[1:]}".rstrip()
            yield letter, Meaning(FIELD_LETTERS[letter[0]], whose)
    if "B'" in in_fields:
        yield "B'", Meaning("last position seen", "output")


def _used(explained: Explanation) -> set[str]:
    """Return the letters of a derivation, with the output sizes that it derives."""
    names = {name for line in explained.lines for term in line.terms for name in names_in(term)}
    return names | {line.symbol for line in explained.lines if line.symbol.endswith("'")}
