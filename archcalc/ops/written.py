"""Arguments as a person would write them."""

from __future__ import annotations

from typing import Any

from archcalc.ops.arguments import BadArgument
from archcalc.ops.declaring import Argument
from archcalc.ops.operator import Operator


def written_arguments(op: Operator) -> dict[str, Any]:
    """Return the arguments that differ from their defaults, as they were given."""
    defaults = op._defaults(op.rank)
    written: dict[str, Any] = {}
    for name, argument in op.arguments.items():
        if name in op.given:
            value = argument.type.check(op.given[name], op.rank)  # not resolved: `same` is not the padding it means
            default = defaults[name] if name in defaults else None if argument.required else argument.default(op)
            if argument.required or (type(value), value) != (type(default), default):
                written[name] = _shortest(argument, op.given[name], op.rank)
    return written


def _shortest(argument: Argument, value: Any, rank: int) -> Any:
    """Return a value, a list as its only item if that means the same: `kernel: 3`."""
    if isinstance(value, (list, tuple)) and value and all(item == value[0] for item in value):
        item = _shortest(argument, value[0], rank)
        try:
            if repr(argument.type.check(item, rank)) == repr(argument.type.check(value, rank)):
                return item
        except BadArgument:
            return value
    return value
