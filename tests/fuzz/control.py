"""Steps with words of control, each beside the same written out: loops and whens among branches, names of loops and of
steps that are left out, `when` beside `from`.

Everything in them has a name, so that the written one has the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arithmetic import Shape

if TYPE_CHECKING:
    from tests.fuzz.author import Author


class Said(NamedTuple):
    """A step, and what it means without words of control."""

    said: dict[str, Any]
    meant: dict[str, Any]


def fan(author: Author, shape: Shape) -> Said | None:
    """A join of branches that loop, or are left out."""
    kind = author.pick(["add", "mul", "concat"])
    said: list[Any] = []
    meant: list[Any] = []
    for _ in range(author.number(1, 3)):
        made = author.application([shape], author.single(), keep=True)
        if made is None:
            return None
        step, prefix = made[0], author.name("b")
        turns = author.number(0, 3)
        least = author.number(0, 2)
        form = author.number(0, 4)
        if form == 0:  # turns of a repeat, some left out
            said.append({**step, "name": prefix + "_{i}", "repeat": turns, "when": f"i >= {least}"})
            meant += [{**step, "name": f"{prefix}_{turn}"} for turn in range(least, turns)]
        elif form == 1:  # turns of a for around a named step
            said.append({"for": {"k": list(range(turns))}, "layers": [{**step, "name": prefix + "_{k}_{i}"}]})
            meant += [[{**step, "name": f"{prefix}_{turn}_{turn}"}] for turn in range(turns)]
        elif form == 2:  # a branch that is there or not
            there = author.chance(2)
            said.append({prefix: [{**step, "name": "s"}], "when": "1 > 0" if there else "1 < 0"})
            meant += [{prefix: [{**step, "name": "s"}]}] if there else []
        elif form == 3:  # a branch that is the input where its step is left out
            said.append([{**step, "name": prefix, "when": "false"}])
            meant.append([])
        else:
            said.append({**step, "name": prefix})
            meant.append({**step, "name": prefix})
    name = author.name("fan")
    return Said({kind: said, "name": name}, {kind: meant, "name": name})


def left_out(author: Author, shape: Shape) -> Said | None:
    """A step that is left out, whose name is taken later: what passed is meant, which its `from` says if it has one."""
    made = author.application([shape], author.single(), keep=False)
    if made is None:
        return None
    assert author.network is not None
    here = author.network.outputs[0]
    source = author.pick(author.earlier(shape))
    name, total = author.name("o"), author.name("t")
    step = {**made[0], "name": name, "when": "false"}
    if author.chance(2):
        step["from"] = source
    else:
        source = here
    if author.chance(3):
        step = {"layers": [step], "when": "false", **({"from": source} if "from" in step else {})}
    return Said(
        {"layers": [step, {"add": None, "from": [name, here], "name": total}]},
        {"layers": [{"add": None, "from": [source, here], "name": total}]},
    )


def named_loop(author: Author, shape: Shape) -> Said | None:
    """A loop with one name, which means what its last turn gives."""
    made = author.application([shape], author.single(), keep=True)
    if made is None:
        return None
    name, total = author.name("l"), author.name("t")
    turns = author.number(1, 3)
    loop = {"repeat": turns} if author.chance(2) else {"for": {"k": list(range(turns))}}
    return Said(
        {"layers": [{**made[0], "name": name, **loop}, {"add": None, "from": [name, name], "name": total}]},
        {
            "layers": [
                {name: [{**made[0], "name": str(turn)} for turn in range(turns)]},
                {"add": None, "from": [name, name], "name": total},
            ]
        },
    )


def rounded_up(author: Author, shape: Shape) -> Said | None:
    """A pooling whose last window may be only partly inside."""
    made = author.application([shape], ["max_pool", "avg_pool"], keep=False)
    if made is None:
        return None
    step = {**made[0], "ceil_mode": True, "name": author.name("r")}
    return Said(step, step)


def gathered(author: Author, shape: Shape) -> Said | None:
    """Several steps, taken by one name with a list in it."""
    made = author.application([shape], author.single(), keep=True)
    if made is None:
        return None
    name, total = author.name("s"), author.name("t")
    count = author.number(2, 3)
    kind = author.pick(["add", "mul", "concat"])
    listed = f"{name}_{{range({count})}}" if author.chance(2) else f"{name}_{{{list(range(count))}}}"
    return Said(
        {
            "layers": [
                {"for": {"k": list(range(count))}, "layers": [{**made[0], "name": f"{name}_{{k}}"}]},
                {kind: None, "from": listed, "name": total},
            ]
        },
        {
            "layers": [
                *({**made[0], "name": f"{name}_{turn}"} for turn in range(count)),
                {kind: None, "from": [f"{name}_{turn}" for turn in range(count)], "name": total},
            ]
        },
    )


def sized(author: Author, shape: Shape) -> Said | None:
    """A layer as wide as an axis of an earlier step."""
    assert author.network is not None
    if not shape:
        return None
    earlier = [layer for layer in author.network.layers if not layer.auxiliary and layer.output_shape]
    if not earlier:
        return None
    layer = author.pick(earlier)
    axis = author.number(0, len(layer.output_shape) - 1)
    root, *parts = layer.name.split(".")
    path = root + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)
    name = author.name("w")
    return Said({"linear": f"{path}.shape[{axis}]", "name": name}, {"linear": layer.output_shape[axis], "name": name})


def in_parts(author: Author, shape: Shape) -> Said | None:
    """A group in two parts, with a step between, whose first step is taken later."""
    made = [author.application([shape], author.single(), keep=True) for _ in range(3)]
    if None in made:
        return None
    first, between, second = (step for one in made if one is not None for step in one[:1])
    group, apart, total = author.name("g"), author.name("b"), author.name("t")
    step = {
        "layers": [
            {group: [{**first, "name": "one"}]},
            {**between, "name": apart},
            {group: [{**second, "name": "two"}, {"add": None, "from": ["one", "two"], "name": "sum"}]},
            {"add": None, "from": [f"{group}.one", apart], "name": total},
        ]
    }
    return Said(step, step)


def with_outputs(author: Author, shape: Shape) -> Said | None:
    """A block with two outputs, both taken."""
    made = [author.application([shape], author.single(), keep=True) for _ in range(2)]
    if None in made:
        return None
    first, second = (step for one in made if one is not None for step in one[:1])
    block, use, total = author.name("block"), author.name("u"), author.name("t")
    author.blocks[block] = {"outputs": ["one", "two"], "layers": [{**first, "name": "one"}, {**second, "name": "two"}]}
    ends = {"add": None, "from": [use, f"{use}.two"], "name": total}
    return Said(
        {"layers": [{block: None, "name": use}, ends]},
        {
            "layers": [
                {use: [{**first, "name": "one"}, {**second, "name": "two"}]},
                {**ends, "from": [f"{use}.one", f"{use}.two"]},
            ]
        },
    )


def with_inputs(author: Author, shape: Shape) -> Said | None:
    """A block with two inputs; its first step takes the first."""
    made = [author.application([shape], author.single(), keep=True) for _ in range(2)]
    if None in made:
        return None
    first, second = (step for one in made if one is not None for step in one[:1])
    assert author.network is not None
    here, there = author.network.outputs[0], author.pick(author.earlier(shape))
    block, use = author.name("block"), author.name("u")
    taken = [
        {**first, "name": "one"},
        {**second, "from": "right", "name": "two"},
        {"add": None, "from": ["one", "two"]},
    ]
    author.blocks[block] = {"inputs": ["left", "right"], "layers": taken}
    steps = [{**taken[0], "from": f".{here}"}, {**taken[1], "from": f".{there}"}, taken[2]]
    return Said({block: None, "from": [here, there], "name": use}, {use: steps})


def of_a_group(author: Author, shape: Shape) -> Said | None:
    """A group whose weights are frozen, or of a type; each of its steps says so itself."""
    made = [author.application([shape], author.single(), keep=True) for _ in range(2)]
    if None in made:
        return None
    steps = [{**step, "name": author.name("d")} for one in made if one is not None for step in one[:1]]
    said: dict[str, Any] = {"trainable": "1 > 2"} if author.chance(2) else {"dtype": author.pick(("int8", "bfloat16"))}
    meant = {key: False if key == "trainable" else value for key, value in said.items()}
    return Said({"layers": steps, **said}, {"layers": [{**step, **meant} for step in steps]})


def shared_group(author: Author, shape: Shape) -> Said | None:
    """A group that is applied again, maybe to an earlier tensor; each of its steps is."""
    made = [author.application([shape], author.single(), keep=True) for _ in range(2)]
    if None in made:
        return None
    assert author.network is not None
    steps = [{**step, "name": f"s{at}"} for at, step in enumerate(one[0] for one in made if one is not None)]
    source = author.pick(author.earlier(shape))
    group, again = author.name("g"), author.name("again")
    owner: dict[str, Any] = {group: steps} if author.chance(2) else {"name": group, "layers": steps}
    twice = [{"share": f".{group}.s{at}", "name": f"s{at}"} for at in range(2)]
    return Said(
        {"layers": [owner, {"share": group, "from": source, "name": again}]},
        {"layers": [{group: steps}, {again: [{**twice[0], "from": f".{source}"}, twice[1]]}]},
    )


def side_by_side(author: Author, shape: Shape) -> Said | None:
    """A loop over two lists, whose turns have names of their own."""
    if len(shape) < 1:
        return None
    name = author.name("l")
    widths, biases = [author.number(1, 6) for _ in range(2)], [author.chance(2), author.chance(2)]
    step = {"for": {"w": widths, "b": biases}, "linear": "w", "bias": "b", "name": name + "_{i}_{w}"}
    turns = enumerate(zip(widths, biases, strict=True))
    return Said(
        {"layers": [step]},
        {"layers": [{"linear": width, "bias": bias, "name": f"{name}_{at}_{width}"} for at, (width, bias) in turns]},
    )


Form = Callable[["Author", Shape], "Said | None"]
FORMS: tuple[Form, ...] = (
    *(fan, left_out, named_loop, rounded_up, gathered, sized, in_parts, with_outputs),
    *(with_inputs, of_a_group, shared_group, side_by_side),
)
