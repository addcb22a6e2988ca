"""One name for one thing."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import archcalc

ROOT = Path(archcalc.__file__).parent


def test_no_public_class_has_the_name_of_another():
    """But for modules of PyTorch, which are called like the operators that they run."""
    files = [file for file in ROOT.rglob("*.py") if file.parent != ROOT / "runtime" / "modules"]
    assert len(files) > 300
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    assert [name for name, count in names.items() if count > 1] == []
