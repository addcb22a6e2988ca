"""Hypothesis strategies of random valid specs."""

from __future__ import annotations

import yaml
from hypothesis import assume
from hypothesis import strategies as st

from archcalc.ops.operator import Operator
from tests.fuzz.author import Author, Plain
from tests.fuzz.control import FORMS
from tests.fuzz.drawing import Draw


@st.composite
def specs(draw: Draw, first: str | None = None) -> str:
    """YAML of a valid spec; it begins with an operator, if one is given."""
    author = Author(draw)
    author.write(first=first)
    return author.finish()


@st.composite
def specs_with_memory(draw: Draw) -> str:
    """YAML of a valid spec of operators whose memory is modelled."""
    author = Author(draw)
    author.operators = {name: kind for name, kind in author.operators.items() if _models_memory(kind)}
    return author.write()


def _models_memory(kind: type[Operator]) -> bool:
    example = kind.examples[0]
    return kind(example.inputs, **example.arguments).models_memory()


@st.composite
def meanings(draw: Draw) -> tuple[str, str]:
    """A valid spec of words of control, and the same written out."""
    author = Author(draw)
    return author.write(FORMS), author.text(author.meant)


@st.composite
def replacements(draw: Draw) -> tuple[str, str, str]:
    """A spec, one that replaces a step of it, and the same as one spec with the other step in its place."""
    author = Author(draw)
    author.write()
    assert author.network is not None
    shape = author.network.shape_of(author.network.outputs[0])
    last = author.earlier(shape)[-1]
    swaps = [author.application([shape], author.single(), keep=True) for _ in range(3)]
    assume(all(swaps))
    [old, new, more] = [swap[0] for swap in swaps if swap is not None]
    control = (
        {"repeat": author.number(0, 3)},
        {"when": "false"},
        {"from": last},
        {"for": {"k": [5, 6]}, "when": "k > 5"},
    )
    new |= {key: value for one in control if author.chance(2) for key, value in one.items()}
    gone, added = {**old, "name": "gone"}, {**more, "name": "added"}
    base = author.text([*author.steps, {**old, "name": "swapped"}, gone, "identity"])
    place = author.pick(("after", "before"))
    around = [{**new, "name": "swapped"}, added] if place == "after" else [added, {**new, "name": "swapped"}]
    last_step = {"identity": None, "name": "end"}
    meant = author.text([*author.steps, *around, "identity", last_step])
    extending = {
        "name": "fuzz",
        "extends": "base.yaml",
        "replace": {"swapped": new},
        "insert": {place: "swapped", "steps": [added]},
        "remove": ["gone"],
        "append": [last_step],
    }
    return base, str(yaml.dump(extending, Dumper=Plain, sort_keys=False)), meant
