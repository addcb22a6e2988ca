"""Names of layers: the paths of modules that PyTorch's exporters leave in ONNX files, or the nodes' own names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from archcalc.imports.layer_names import TakenNames

LONGEST = 200
SCOPES = "pkg.torch.onnx.name_scopes"
"""Key of the list of modules that a node belongs to, from the outermost on."""


def legal(name: str) -> str:
    """Return a name with letters, digits, `_` and `.` alone: `onnx::Conv_193` becomes `onnx_Conv_193`."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", name)
    parts = [part.strip("_") or part[:1] for part in name.split(".")]
    return ".".join(part for part in parts if part)[:LONGEST].strip(".")


def module_path(node: Any) -> str | None:
    """Return the path of the module that a node belongs to; None if the file does not say it."""
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            return _innermost(entry.value)
    if node.name.startswith("/") and node.name.count("/") > 1:
        return legal(_joined(node.name.split("/")[1:-1]))
    return "" if node.name.startswith("/") else None


def _innermost(scopes: str) -> str | None:
    """Return the last module of a list of scopes, of which the last is the operation: `['', 'conv1', 'conv2d']`."""
    if len(scopes) > 10_000 or not re.fullmatch(r"\[('[^'\\]*'(, )?)*\]", scopes):
        return None
    names = re.findall(r"'([^']*)'", scopes)
    return legal(names[-2]) if len(names) > 1 else None


def _joined(scopes: Iterable[str]) -> str:
    """Return the path of `layer1/layer1.0/conv1`: `layer1.0.conv1`."""
    path: list[str] = []
    last = ""
    for scope in scopes:
        if last and scope.startswith(f"{last}."):
            path[-1] = path[-1] + scope[len(last) :]
        else:
            path.append(scope)
        last = scope
    return ".".join(path)


class LegalNames:
    """Legal names for stored tensors, each for one."""

    def __init__(self) -> None:
        self.taken = TakenNames()
        self.legal: dict[str, str] = {}
        """Name in the file to the legal one."""
        self.raw: dict[str, str] = {}
        """Legal name to the one in the file."""

    def of(self, name: str) -> str:
        """Return the name of a stored tensor; the same for the same."""
        if name not in self.legal:
            free = self.taken.free(legal(name) or "tensor")
            self.taken.add(free)
            self.legal[name], self.raw[free] = free, name
        return self.legal[name]
