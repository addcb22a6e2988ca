"""Limits that bound the cost of any spec. An environment variable raises each."""

from __future__ import annotations

import os

from archcalc.words import help_line

_DEFAULTS = {
    "bytes": 1_000_000,  # size of a document
    "depth": 100,  # nesting of its YAML
    "nodes": 200_000,  # nodes of its YAML, aliases written out
    "layers": 20_000,  # layers of the expanded network
    "steps": 100_000,  # steps taken while expanding, those left out too
    "work": 2_000_000,  # operations of its expressions, names looked up, variables handed on
    "digits": 100,  # digits of a number
    "extends": 10,  # specs that build on one another
    "nesting": 40,  # steps inside steps: blocks, groups, branches
}


def limit(name: str) -> int:
    """Return the limit in force."""
    value = os.environ.get(variable(name), "")
    return int(value) if value.isascii() and value.isdigit() else _DEFAULTS[name]


def variable(name: str) -> str:
    """Return the environment variable that sets a limit."""
    return f"ARCHCALC_MAX_{name.upper()}"


def exceeded(name: str, what: str) -> str:
    """Return the message for a crossed limit."""
    return f"{what}: the limit of {name} is {limit(name):,}{help_line(f'set {variable(name)} to raise it')}"
