"""Which modules of a model are used, and of which classes they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from torch import nn

from archcalc.imports.layer_names import groups_of

HOLDERS = frozenset(["Sequential", "ModuleList", "ModuleDict", "Module"])


def classes_of(module: nn.Module, paths: Iterable[str]) -> dict[str, str]:
    """Return the class of the module at each path; none of one that only holds others."""
    modules = dict(module.named_modules())
    classes = {path: type(modules[path]).__name__ if path in modules else "" for path in paths}
    return {path: "" if name in HOLDERS else name for path, name in classes.items()}


def uncalled(module: nn.Module, used: Collection[str]) -> dict[str, int]:
    """Return the outermost modules, and the tensors, none of whose parameters are used, with their number."""
    called = groups_of(used)
    found: dict[str, int] = {}
    for name, parameter in module.named_parameters():
        if name not in used:
            path = min(groups_of([name]) - called, key=len, default=name)
            found[path] = found.get(path, 0) + parameter.numel()
    return found
