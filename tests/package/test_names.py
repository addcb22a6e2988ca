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


def test_a_variable_says_what_it_is():
    says_nothing = {"one", "at", "thing", "stuff", "tmp"}
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if getattr(node, "id", getattr(node, "arg", None)) in says_nothing and isinstance(node, (ast.Name, ast.arg))
    ]
    assert found == []


def test_no_operator_is_asked_for_by_its_name():
    """Outside of `ops`, what an operator is like is asked of the operator."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in ROOT.rglob("*.py")
        if file.relative_to(ROOT).parts[0] != "ops"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Attribute)
        and node.left.attr == "kind"
        and isinstance(node.left.value, (ast.Attribute, ast.Name))
        and getattr(node.left.value, "attr", getattr(node.left.value, "id", "")) in ("op", "operator")
        and any(isinstance(value, ast.Constant) and isinstance(value.value, str) for value in node.comparators)
    ]
    assert found == []
