"""The examples in docstrings run, and everything public has one."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import archcalc

PACKAGE = Path(archcalc.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    failures, examples = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert examples > 0
    assert failures == 0


@pytest.mark.parametrize("name", [name for name in archcalc.__all__ if name != "__version__"])
def test_everything_public_has_an_example(name: str):
    assert doctest.DocTestParser().get_examples(getattr(archcalc, name).__doc__)
