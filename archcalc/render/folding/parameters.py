"""Parameters of a block: names, defaults and conditions for what differs between its instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.render.folding.numbers import (
    SIZES,
    WIDTHS,
    agree,
    free_name,
    half,
    kind,
    multiple,
    name_of_step,
    usual_name,
)
from archcalc.render.folding.steps import Slot, comparable
from archcalc.render.folding.text import SpecText
from archcalc.render.folding.unify import Unlike

MAX_PARAMETERS, MAX_EXPANSION = 10, 16
_LIKELY = {"stride": 1, "groups": 1, "dilation": 1, "padding": 0, "bias": True, "shift": 0, "expansion": 1}
"""Defaults that people expect."""


@dataclass(eq=False)
class BlockParameter:
    """A parameter of a block."""

    slot: Slot
    """The first place that it is used at."""
    values: list[Any]
    """Its value for each instance; None where it does not use it."""
    default: Any = None
    """A number or an expression; None if it is required."""
    name: str = ""
    of: BlockParameter | None = None
    """The parameter that its default is a multiple of the input with."""

    def given(self, number: int) -> Any:
        """Return what an instance sets it to; None if it leaves it at its default."""
        value = self.values[number]
        if isinstance(self.default, SpecText) or value is None:
            return next((own for own in self.values if own is not None), 1) if self.default is None else None
        return None if comparable(value) == comparable(self.default) else value


@dataclass
class _Use:
    """What a slot is written as: a form such as `4 * {}` over a parameter."""

    slot: Slot
    form: str
    of: BlockParameter


@dataclass
class Parameters:
    """The parameters that fill slots; ``shapes`` are the shapes that the instances take."""

    slots: Sequence[Slot]
    shapes: Sequence[Shape]
    taken: Collection[str]
    """Names of the other blocks, and of loop variables in this one."""
    found: list[BlockParameter] = field(default_factory=list)
    uses: list[_Use] = field(default_factory=list)

    def solve(self) -> list[BlockParameter]:
        """Write into each slot what is there; return the parameters in order. Raise `Unlike` if there are too many."""
        for slot in sorted(self.slots, key=lambda slot: None in slot.values):
            if slot.argument != "when" and not slot.same:
                self.uses.append(self._use(slot))
        for slot in self.slots:
            if slot.same:
                self._keep_or_use(slot)
        self._name()
        for use in self.uses:
            use.slot.text = SpecText(use.form.format(use.of.name))
        self._conditions()
        if len(self.found) > MAX_PARAMETERS:
            raise Unlike
        main = [parameter for parameter in self.found if parameter.default is None and parameter.name == "width"]
        needed = [parameter for parameter in self.found if parameter.default is None and parameter not in main]
        texts = [parameter for parameter in self.found if isinstance(parameter.default, SpecText)]
        others = [parameter for parameter in self.found if parameter.default is not None and parameter not in texts]
        return [*main, *needed, *others, *texts]

    # -- numbers

    def _use(self, slot: Slot) -> _Use:
        """Return what a slot is: a parameter, something that follows from one, or a new one."""
        own = kind(slot.argument)
        alike = [parameter for parameter in self.found if kind(parameter.slot.argument) == own]
        for parameter in alike:
            if agree(slot.values, parameter.values):
                self._merge(parameter, slot.values)
                return _Use(slot, "{}", parameter)
        if slot.argument == "padding":
            for parameter in self.found:
                if parameter.slot.argument == "kernel" and half(slot.values, parameter.values):
                    return _Use(slot, "{} // 2", parameter)
                if parameter.slot.argument == "dilation" and agree(slot.values, parameter.values):
                    return _Use(slot, "{}", parameter)
        if own == "size":
            for parameter in alike:
                form = multiple(slot.values, parameter.values)
                if form is not None:
                    return _Use(slot, form, parameter)
            derived = self._of_input(slot)
            if derived is not None:
                return derived
        parameter = BlockParameter(slot, list(slot.values), _default(slot))
        self.found.append(parameter)
        return _Use(slot, "{}", parameter)

    def _keep_or_use(self, slot: Slot) -> None:
        """Write a number that is the same in all instances that have it, or the parameter that it is there."""
        slot.text = next(value for value in slot.values if value is not None)
        for parameter in self.found:
            if kind(parameter.slot.argument) == kind(slot.argument) and parameter.of is None:
                form = "{}" if agree(slot.values, parameter.values) else multiple(slot.values, parameter.values)
                if form is not None and (form == "{}" or slot.argument in SIZES):
                    self.uses.append(_Use(slot, form, parameter))
                    return

    def _of_input(self, slot: Slot) -> _Use | None:
        """Return a slot as the size of the input's channels, or a multiple; None if it is not."""
        if slot.argument not in WIDTHS:
            return None
        for part, sizes in self._inputs():
            form = "{}" if agree(slot.values, sizes) else multiple(slot.values, sizes)
            if form is not None:
                parameter = BlockParameter(slot, list(sizes), SpecText(f"input.{part}"))
                self.found.append(parameter)
                return _Use(slot, form, parameter)
            times = [
                value // size if type(value) is int else None for value, size in zip(slot.values, sizes, strict=True)
            ]
            if _expands(slot.values, sizes, times):
                most = Counter(time for time in times if time is not None).most_common(1)[0][0]
                expansion = BlockParameter(Slot(times, "expansion", slot.step), times, most)
                parameter = BlockParameter(slot, list(slot.values), SpecText(f"{{}} * input.{part}"), of=expansion)
                self.found += [expansion, parameter]
                return _Use(slot, "{}", parameter)
        return None

    def _inputs(self) -> Iterator[tuple[str, list[int]]]:
        """Yield sizes of the input, and what expressions call them."""
        if all(len(shape) > 2 for shape in self.shapes):
            yield "channels", [shape[0] for shape in self.shapes]
        if all(self.shapes):
            yield "features", [shape[-1] for shape in self.shapes]

    def _merge(self, parameter: BlockParameter, values: Sequence[Any]) -> None:
        pairs = zip(parameter.values, values, strict=True)
        parameter.values = [value if own is None else own for own, value in pairs]

    # -- names

    def _name(self) -> None:
        widths = [parameter for parameter in self.found if parameter.slot.argument in WIDTHS]
        own = [parameter for parameter in widths if parameter.default is None]
        taken = set(self.taken)
        steps = {self._step_of(parameter.slot) for parameter in own} - {""}
        last = next((use.of for use in reversed(self.uses) if use.slot.argument in WIDTHS and use.of in own), None)
        for parameter in self.found:
            slot = parameter.slot
            step = self._step_of(slot)
            wanted = [usual_name(slot), f"{step}_{usual_name(slot)}".lstrip("_")]
            if parameter.of is not None:
                parameter.default = SpecText(parameter.default.format(parameter.of.name))
                wanted = ["hidden", "inner"]
            elif isinstance(parameter.default, SpecText):
                wanted = [str(parameter.default).removeprefix("input."), "inputs_width"]
            elif parameter in own and len(own) > 2 and (len(steps) > 2 or parameter not in (own[0], last)):
                wanted = [step, f"{step}_{slot.label}".lstrip("_")]
            elif parameter in own and len(own) > 1:
                wanted = ["width" if parameter is last else "hidden", "inner"]
            parameter.name = free_name(wanted, taken)
            taken.add(parameter.name)
        self.names = taken

    def _step_of(self, slot: Slot) -> str:
        """Return a name from that of a slot's step; empty if it is that of a block."""
        name = name_of_step(slot)
        return "" if name in self.taken else name

    # -- conditions

    def _conditions(self) -> None:
        """Write the conditions under which steps are there."""
        known: dict[tuple[Any, ...], SpecText] = {}
        for slot in self.slots:
            if slot.argument != "when":
                continue
            there = tuple(slot.values)
            if there not in known:
                known[there] = self._condition(slot, there)
            slot.text = known[there]

    def _condition(self, slot: Slot, there: tuple[Any, ...]) -> SpecText:
        """Return an expression that is true for the instances that have a step."""
        text = self._expression(there)
        if text is not None and "input" not in text:
            return SpecText(text)
        name = name_of_step(slot) or ("residual" if slot.step.endswith(("add", "add1")) else "present")
        wanted = ["residual" if name == "add" else name, f"with_{name}"]
        parameter = BlockParameter(slot, list(there), SpecText(text) if text is not None else False)
        parameter.name = free_name(wanted, self.names)
        self.names.add(parameter.name)
        self.found.append(parameter)
        return SpecText(parameter.name)

    def _expression(self, there: tuple[Any, ...]) -> str | None:
        """Return an expression over the parameters and the input that has these values; None if none is found."""
        atoms = list(self._atoms())
        for different, same, values in atoms:
            if agree(there, values):
                return different
            if agree(there, [not value for value in values]):
                return same
        for index, (different, same, values) in enumerate(atoms):
            for other, alike, others in atoms[index + 1 :]:
                either = tuple(mine or theirs for mine, theirs in zip(values, others, strict=True))
                if agree(there, either):
                    return f"{different} or {other}"
                if agree(there, [not value for value in either]):
                    return f"{same} and {alike}"
        return None

    def _atoms(self) -> Iterator[tuple[str, str, tuple[bool, ...]]]:
        """Yield comparisons, their opposites, and the values of the first for each instance."""
        for parameter in self.found:
            usual = _LIKELY.get(parameter.slot.argument)
            if usual is not None and None not in parameter.values:
                values = tuple(comparable(value) != comparable(usual) for value in parameter.values)
                yield f"{parameter.name} != {usual}", f"{parameter.name} == {usual}", values
        uses: dict[tuple[str, BlockParameter], _Use] = {}
        for use in self.uses:
            if use.slot.argument in WIDTHS:
                uses.setdefault((use.form, use.of), use)
        for part, sizes in self._inputs():
            for use in uses.values():
                if None in use.slot.values or not all(type(value) is int for value in use.slot.values):
                    continue
                text = str(use.slot.text)
                values = tuple(size != value for size, value in zip(sizes, use.slot.values, strict=True))
                yield f"input.{part} != {text}", f"input.{part} == {text}", values


def _expands(values: Sequence[Any], sizes: Sequence[int], times: Sequence[int | None]) -> bool:
    """True if values are small multiples of sizes, most of them the same multiple."""
    known = [time for time in times if time is not None]
    exact = all(
        value is None or (time and time * size == value) for value, size, time in zip(values, sizes, times, strict=True)
    )
    if not exact or not known or max(known) > MAX_EXPANSION:
        return False
    most = max(known, key=known.count)
    return most > 1 and known.count(most) * 4 >= len(known) * 3


def _default(slot: Slot) -> Any:
    """Return the default of a new parameter; None if it is required."""
    if slot.argument in SIZES and slot.argument != "groups":
        return None
    values = Counter(map(comparable, (value for value in slot.values if value is not None)))
    usual = _LIKELY.get(slot.argument)
    if usual is not None and comparable(usual) in values:
        return usual
    [(most, count)] = values.most_common(1)
    if count * 4 < sum(values.values()) * 3:
        return None
    return next(value for value in slot.values if value is not None and comparable(value) == most)
