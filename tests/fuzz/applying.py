"""Steps that make the inputs which an operator needs: filters of a convolution, and those of any operator's example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.arithmetic import Shape, product

if TYPE_CHECKING:
    from tests.fuzz.author import Author

MOST_MADE = 200
"""The most numbers that are made of the flow for one input of an operator."""


def made(author: Author, source: str, shape: Shape) -> tuple[list[Any], str] | None:
    """Steps that make a tensor of that shape out of another, and the last one's name."""
    if product(shape) > MOST_MADE:
        return None
    name = author.name("m")
    steps = [{"flatten": None, "from": source}, {"linear": product(shape)}, {"reshape": list(shape), "name": name}]
    return steps, name


def filtered(author: Author, shape: Shape) -> Any:
    """A convolution whose filters are trained and normalized, or made of the flow."""
    if not 2 <= len(shape) <= 4:
        return None
    assert author.network is not None
    here = author.network.outputs[0]
    groups = author.pick([n for n in range(1, shape[0] + 1) if shape[0] % n == 0])
    kernel = tuple(author.number(1, min(3, size)) for size in shape[1:])
    filters = (groups * author.number(1, 2), shape[0] // groups, *kernel)
    if author.chance(2):
        name = author.name("filters")
        steps: list[Any] = [{"parameter": list(filters), "name": name}]
        if author.chance(2):
            steps.append({"layer_norm": None, "dims": len(filters) - 1, "name": (name := author.name("filters"))})
    else:
        found = made(author, here, filters)
        if found is None:
            return None
        steps, name = found
    application = author.application([shape, filters], ["dynamic_conv"], keep=False)
    if application is None:
        return None
    step = {**application[0], **({"groups": groups} if groups > 1 else {})}
    return [*steps, {**step, "from": [here, name]}]


def at_example(author: Author, shape: Shape) -> Any:
    """An operator at the inputs of one of its examples, which are made of the flow."""
    kind = author.operators[author.pick([name for name, one in author.operators.items() if not one.takes_indices])]
    step, shapes = author.exemplary(kind)
    assert author.network is not None
    steps: list[Any] = []
    names = []
    for one in shapes:
        found = made(author, author.network.outputs[0], one)
        if found is None:
            return None
        steps += found[0]
        names.append(found[1])
    return [*steps, {**step, "from": names}]
