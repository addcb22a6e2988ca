"""Bounds that keep a hostile or mistaken spec harmless. Each can be raised by an environment variable."""

from __future__ import annotations

import os

_DEFAULTS = {
    "bytes": 1_000_000,  # size of a document
    "depth": 100,  # nesting of its YAML
    "nodes": 200_000,  # nodes of its YAML, aliases written out
    "layers": 20_000,  # layers of the expanded network
    "steps": 100_000,  # steps taken while expanding, skipped ones too
    "work": 2_000_000,  # operations of its expressions, names looked up, variables handed on
    "digits": 100,  # digits of a number
    "extends": 10,  # specs that build on one another
    "nesting": 40,  # steps inside steps: blocks, groups, branches
}


def limit(name: str) -> int:
    """The bound in force."""
    value = os.environ.get(variable(name), "")
    return int(value) if value.isascii() and value.isdigit() else _DEFAULTS[name]


def variable(name: str) -> str:
    """The environment variable that sets a bound."""
    return f"ARCHCALC_MAX_{name.upper()}"


def exceeded(name: str, what: str) -> str:
    """The message for a bound that is crossed."""
    return f"{what}: the limit of {name} is {limit(name):,} (set {variable(name)} to raise it)"
