"""Steps and blocks as lines of YAML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from archcalc.ops import registry
from archcalc.render.folding.blocks import FoldedBlock
from archcalc.render.folding.steps import GROUP, SHARE, SIDE, TAKEN, TOGETHER, First, Naming, WrittenStep
from archcalc.render.folding.text import WIDTH, SpecText, argument_text, name_text, reference_text, value_text
from archcalc.render.folding.turns import in_a_row


class StepLayout:
    """Writes steps; ``blocks`` are the names that a group cannot have as its key."""

    def __init__(self, blocks: Collection[str]) -> None:
        self.taken = {*TAKEN, *blocks}

    def block(self, block: FoldedBlock) -> Iterator[str]:
        """Yield the lines of a block."""
        yield f"  {block.name}:"
        if len(block.inputs) > 1:
            yield f"    inputs: [{', '.join(block.inputs)}]"
        if block.params:
            params = [(own.name, "required" if own.default is None else _quoted(own.default)) for own in block.params]
            yield from _mapping("params", params, 4)
        if block.numbered and _is_numbered(block.body):
            yield "    numbered: true"
        yield "    layers:"
        yield from self.steps(block.body, 6)

    def steps(self, steps: Sequence[WrittenStep], indent: int) -> Iterator[str]:
        """Yield the lines of steps."""
        for step in steps:
            yield from self.step(step, indent)

    def step(self, step: WrittenStep, indent: int) -> Iterator[str]:
        """Yield the lines of a step, the first with a dash."""
        step = _without_group(step)
        pairs = self._pairs(step)
        if not self._has_lines(step):
            yield from _line(pairs, indent)
            return
        space, before, key = " " * indent, [], "layers"
        if step.branches is not None:
            key, pairs = step.head, pairs[1:]
        elif step.head == SIDE:
            key = "side"
        elif step.head == GROUP and not step.loops and _is_plain(step.name) and step.name not in self.taken:
            key, pairs = name_text(step.name), [pair for pair in pairs if pair[0] != "name"]
        else:
            before = [pair for pair in pairs if pair[0] in ("for", "repeat", "name", "when")]
            pairs = [pair for pair in pairs if pair not in before]
        dash = "- "
        for name, text in before:
            if name == "for":
                yield from _for(f"{space}{dash}", text)
            else:
                is_bare = name == "name" and not _is_plain(step.name) and not step.name.startswith("{")
                yield f"{space}{dash}{name}: {step.name if is_bare else text}"
            dash = "  "
        yield f"{space}{dash}{key}:"
        for branch in step.branches or ():
            yield from self.branch(branch, indent + 4)
        yield from self.steps(step.body, indent + 4)
        yield from (f"{space}  {name}: {text}" for name, text in pairs)

    def branch(self, branch: Sequence[WrittenStep], indent: int) -> Iterator[str]:
        """Yield the lines of a branch: a list, or its only step."""
        if not branch:
            yield f"{' ' * indent}- []"
        elif len(branch) == 1 and branch[0].when is None and not self._repeats(branch[0]):
            yield from self.step(branch[0], indent)
        else:
            lines = list(self.steps(branch, indent + 2))
            yield f"{' ' * indent}- {lines[0][indent + 2 :]}"
            yield from lines[1:]

    def _repeats(self, step: WrittenStep) -> bool:
        """True if a step is written as a loop, which would be a branch for each turn."""
        return step.loops or (step.head == GROUP and any(inner.loops for inner in step.body))

    def _has_lines(self, step: WrittenStep) -> bool:
        return step.branches is not None or (step.head in (GROUP, SIDE, TOGETHER) and bool(step.body))

    def _pairs(self, step: WrittenStep) -> list[tuple[str, str]]:
        """Return the keys of a step in order, the head first unless its steps come on lines of their own."""
        pairs: list[tuple[str, str]] = []
        if step.walked:
            pairs.append(("for", _inside((name, _quoted(value)) for name, value in step.walked.items())))
        if step.count is not None and self._has_lines(step):
            pairs.append(("repeat", _quoted(step.count)))
        head: list[tuple[str, str]] = []
        if step.head in (TOGETHER, SIDE) and not step.body:
            head = [(step.head, "[]")]
        elif step.head == SHARE:
            head = [("share", _name(step.args["share"]))]
        elif step.head not in (GROUP, SIDE, TOGETHER):
            head = self._applied(step)
        pairs = [*head, *pairs]
        pairs += [(tensor, _name(name)) for tensor, name in step.ties]
        if step.sources:
            names = ", ".join(map(_name, in_a_row(step.sources)))
            pairs.append(("from", names if len(step.sources) == 1 else f"[{names}]"))
        if step.name and (step.naming is Naming.GIVEN or step.head in (GROUP, SIDE)):
            pairs.append(("name", _step_name(step.name)))
        if step.count is not None and not self._has_lines(step):
            pairs.append(("repeat", _quoted(step.count)))
        if step.when is not None:
            pairs.append(("when", _quoted(step.when)))
        if step.numbered and _is_numbered(step.body):
            pairs.append(("numbered", "true"))
        if step.train:
            pairs.append(("train", "true"))
        if step.dtype:
            pairs.append(("dtype", step.dtype))
        if step.frozen:
            pairs.append(("trainable", "false"))
        return pairs

    def _applied(self, step: WrittenStep) -> list[tuple[str, str]]:
        """Return the head with its value, and the arguments."""
        args = dict(step.args)
        value = ""
        if step.principal in args and args[step.principal] is not None:
            value = _quoted(args.pop(step.principal))
        operator = registry().get(step.head)
        order = operator.arguments if operator else {}
        names = [*(name for name in order if name in args), *(name for name in args if name not in order)]
        return [
            (step.head, value),
            *((name, _quoted(args[name])) for name in names if args[name] != step.defaults.get(name, _ABSENT)),
        ]


_ABSENT = object()


def _is_numbered(steps: Sequence[WrittenStep]) -> bool:
    """True if steps get their names by position, loops over one step aside, which do so anyway."""
    for step in steps:
        if step.naming is Naming.NUMBERED and (step.head == TOGETHER or not step.loops):
            return True
        if any(_is_numbered(branch) for branch in step.branches or ()):
            return True
        if step.head == TOGETHER and _is_numbered(step.body):
            return True
    return False


def _may_mean_a_turn(step: WrittenStep) -> bool:
    """True if a source of a loop may be one of its numbered turns, which names outside of its group are not."""
    return any(isinstance(source, SpecText) or source.split(".")[0].isdigit() for source in step.sources)


def _without_group(step: WrittenStep) -> WrittenStep:
    """Return the loop that a group holds and nothing else, with the name of the group; any other step as it is."""
    if step.head != GROUP or step.loops or not _is_loop(step.body):
        return step
    [loop] = step.body
    is_more = step.in_parts or step.train or step.when is not None or not _is_plain(step.name) or "{" in step.name
    return step if is_more or _may_mean_a_turn(loop) else replace(loop, name=step.name, naming=Naming.GIVEN)


def _is_plain(name: str) -> bool:
    """True if a name does not have expressions of a loop in it."""
    return not isinstance(name, SpecText)


def _is_loop(steps: Sequence[WrittenStep]) -> bool:
    """True if steps are one loop whose turns are numbered."""
    return len(steps) == 1 and steps[0].naming is Naming.NUMBERED and steps[0].loops and steps[0].head != TOGETHER


def _line(pairs: Sequence[tuple[str, str]], indent: int) -> Iterator[str]:
    """Yield a step on one line, or on a line for each key if it is long."""
    texts = [f"{key}: {text}" if text else key for key, text in pairs]
    line = f"{' ' * indent}- " + (texts[0] if len(texts) == 1 and not pairs[0][1] else f"{{{', '.join(texts)}}}")
    if len(line) <= WIDTH or not pairs[0][1]:
        yield line
        return
    if all(key != "for" for key, _ in pairs):
        yield from _wrapped(texts, indent)
        return
    for number, (key, text) in enumerate(pairs):
        start = " " * indent + ("  " if number else "- ")
        if key == "for":
            yield from _for(start, text)
        else:
            yield start + (f"{key}: {text}" if text else key)


def _wrapped(texts: Sequence[str], indent: int) -> Iterator[str]:
    """Yield keys in braces, on as many lines as they need."""
    line = f"{' ' * indent}- {{{texts[0]}"
    for text in texts[1:]:
        if len(line) + len(text) + 3 > WIDTH:
            yield f"{line},"
            line = f"{' ' * (indent + 3)}{text}"
        else:
            line += f", {text}"
    yield f"{line}}}"


def _for(start: str, text: str) -> Iterator[str]:
    """Yield the variables of a loop on one line, or on one each."""
    if len(start) + len(text) + 5 <= WIDTH:
        yield f"{start}for: {text}"
        return
    yield f"{start}for:"
    lists = re.split(r"(?<=\]), (?=\w+: \[)", text[1:-1])
    yield from (f"{' ' * len(start)}  {line}" for line in lists)


def _mapping(key: str, pairs: Sequence[tuple[str, str]], indent: int) -> Iterator[str]:
    line = f"{' ' * indent}{key}: {_inside(pairs)}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{' ' * indent}{key}:"
    yield from (f"{' ' * indent}  {name}: {text}" for name, text in pairs)


def _inside(pairs: Any) -> str:
    return f"{{{', '.join(f'{name}: {text}' for name, text in pairs)}}}"


def _step_name(name: str) -> str:
    """Return a step's name; one of a loop has expressions in it."""
    return f'"{name}"' if isinstance(name, SpecText) else name_text(name)


def _name(name: str) -> str:
    """Return a name after `from`."""
    return f'"{name}"' if isinstance(name, SpecText) else reference_text(name)


def _quoted(value: Any) -> str:
    """Return a value; an expression in quotes if YAML would end it at a comma or a bracket."""
    return argument_text(value) if isinstance(value, str) else expression(value)


def expression(value: Any) -> str:
    """Return a value as an expression."""
    if isinstance(value, First):
        if value.first is True and value.rest is False:
            return "i == 0"
        if value.first is False and value.rest is True:
            return "i > 0"
        return f"{expression(value.first)} if i == 0 else {expression(value.rest)}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(expression, value))}]"
    if isinstance(value, dict):
        return _inside((name_text(name), expression(item)) for name, item in value.items())
    return str(value) if isinstance(value, SpecText) else value_text(value)
