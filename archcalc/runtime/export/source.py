"""A network as the source of a torch.nn.Module that does not need archcalc."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from functools import cache
from typing import Any

from torch import nn

from archcalc._version import __version__
from archcalc.network import Network
from archcalc.runtime.building import check_name
from archcalc.runtime.export.classes import Class, Classes, ClassParameter, Members, class_name, is_sequential
from archcalc.runtime.export.expression import WIDTH, Chain, ConstructorCall, SourceWriter, literal
from archcalc.runtime.export.forward import RESERVED, attribute, forward_lines, is_identifier, parameter
from archcalc.runtime.export.scopes import ScopePath, scopes_of
from archcalc.runtime.modules import PARTS
from archcalc.words import printable


def torch_source(network: Network) -> str:
    """Return the network as Python source: a class for each kind of block, and one for the network.

    It needs only torch. Its state dict has the keys of `archcalc.build`, and the same weights give the same outputs.

    Raises:
        UserError: if Python or PyTorch reserves the name of a layer.
    """
    _check_names(network)
    root = scopes_of(network)
    name = class_name(_spelled(network)) or "Network"
    helpers = _helper_sources()
    classes = Classes(root, name, {*RESERVED, *helpers, "Any"})
    writer = SourceWriter(classes.signatures)
    bodies = [_class_source(written, writer, _freezing(network)) for written in classes.written]
    text = "\n\n\n".join(bodies)
    used = _needed_helpers(text, helpers)
    main = _main(classes.written[-1].name, network)
    everything = "\n\n\n".join([*used, text, main])
    return f"{_head(network, everything)}\n\n\n{everything}\n"


def _check_names(network: Network) -> None:
    """Raise for the names that `archcalc.build` refuses."""
    for layer in network.layers:
        for name in layer.name.split("."):
            check_name(nn.Module(), name, layer.name)


def _spelled(network: Network) -> str:
    """Return the network's name, with the capitals of an otherwise equal title: `MobileNet V3 Small`."""
    name, title = (re.sub(r"[\W_]", "", text) for text in (network.name, network.about.title))
    return network.about.title if name.lower() == title.lower() else network.name


def _head(network: Network, text: str) -> str:
    about = network.about
    lines = textwrap.wrap(_comment(about.title or network.name), WIDTH)
    if about.source:
        lines += ["", *textwrap.wrap(_comment(about.source), WIDTH)]
    lines += ["", f"Written by archcalc {__version__} from its spec of {_comment(network.name)}."]
    docstring = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')
    imports = ["from collections import OrderedDict"] if "OrderedDict(" in text else []
    imports = (["import math"] if re.search(r"\bmath\.", text) else []) + imports
    imports += ["from typing import Any"] if re.search(r"\bAny\b", text) else []
    imports += [""] if imports else []
    imports += ["import torch", f"from torch import {'Tensor, ' if 'Tensor' in text else ''}nn"]
    return f'"""{docstring}\n"""\n\nfrom __future__ import annotations\n\n' + "\n".join(imports)


def _comment(text: str) -> str:
    return printable(" ".join(text.split()))


def _freezing(network: Network) -> list[str]:
    """Return the lines that freeze weights, at the end of the network's constructor."""
    names: dict[bool, list[str]] = {True: [], False: []}
    for layer in network.layers:
        if not layer.auxiliary:
            names[layer.trainable] += layer.own_weights()
    if not names[False]:
        return []
    most = len(names[True]) < len(names[False])
    lines = ["        self.requires_grad_(False)"] if most else []
    listed = "".join(f"            {literal(name)},\n" for name in names[most])
    if not listed:
        return lines
    return [
        *lines,
        f"        for name in (\n{listed}        ):",
        f"            self.get_parameter(name).requires_grad_({most})",
    ]


def _class_source(written: Class, writer: SourceWriter, freezing: list[str]) -> str:
    arguments = "".join(f", {_argument(parameter)}" for parameter in written.parameters)
    define = f"    def __init__(self{arguments}) -> None:"
    if len(define) > WIDTH:
        each = "".join(f"        {_argument(parameter)},\n" for parameter in written.parameters)
        define = f"    def __init__(\n        self,\n{each}    ) -> None:"
    if written.scope.path and is_sequential(written.scope):
        return f"class {written.name}(nn.Sequential):\n{define}\n{_sequential(written.members, writer)}"
    lines = [f"class {written.name}(nn.Module):", define, "        super().__init__()"]
    for path in written.scope.inner:
        lines.append(_assignment(path, ConstructorCall("nn.Module"), writer))
    lines += [_assignment(path, node, writer) for path, node in written.members]
    lines += [f"        {parameter(path)} = {parameter(owner)}" for path, owner in written.scope.ties]
    lines += [] if written.scope.path else freezing
    body = "\n".join(lines)
    return body + "\n\n" + textwrap.indent("\n".join(forward_lines(written.scope)), "    ")


def _sequential(members: Members, writer: SourceWriter) -> str:
    chain = Chain(tuple(path[0] for path, _ in members), tuple(node for _, node in members), "super().__init__")
    return " " * 8 + writer.text(chain, 8)


def _argument(parameter: ClassParameter) -> str:
    kinds = {_annotation(value): None for value in (*parameter.values, *([parameter.default] * parameter.has_default))}
    default = f" = {literal(parameter.default)}" if parameter.has_default else ""
    return f"{parameter.name}: {' | '.join(sorted(kinds))}{default}"


def _annotation(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"tuple[{', '.join(map(_annotation, value))}]"
    return "None" if value is None else type(value).__name__


def _assignment(path: ScopePath, node: Any, writer: SourceWriter) -> str:
    *outside, name = path
    owner = attribute(tuple(outside))
    if is_identifier(name):
        before = f"{owner}.{name} = "
        return f"        {before}{writer.text(node, 8, len(before))}"
    method = (
        "register_parameter" if isinstance(node, ConstructorCall) and node.target == "nn.Parameter" else "add_module"
    )
    before = f"{owner}.{method}({literal(name)}, "
    return f"        {before}{writer.text(node, 8, len(before) + 1)})"


def _main(name: str, network: Network) -> str:
    inputs = [
        f"torch.zeros({', '.join(map(str, (1, *shape)))}, dtype=torch.long)"
        if source in network.indices
        else f"torch.randn({', '.join(map(str, (1, *shape)))})"
        for source, shape in network.inputs.items()
    ]
    call = f"        output = model({', '.join(inputs)})"
    if len(call) > WIDTH:
        each = "".join(f"            {tensor},\n" for tensor in inputs)
        call = f"        output = model(\n{each}        )"
    lines = [
        'if __name__ == "__main__":',
        f"    model = {name}().eval()",
        "    with torch.no_grad():",
        call,
        '    print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters")',
    ]
    shape = "output.shape" if len(network.outputs) == 1 else "*(tensor.shape for tensor in output)"
    return "\n".join([*lines, f'    print("output", {shape})'])


@cache
def _helper_sources() -> dict[str, str]:
    """Return the source of each class and function of `runtime.modules`."""
    found = {}
    for part in PARTS:
        text = inspect.getsource(part)
        for node in ast.parse(text).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                source = ast.get_source_segment(text, node) or ""
                found[node.name] = re.sub(r"  # type: ignore\[[\w-]+\]", "", source)
    return found


def _needed_helpers(text: str, helpers: dict[str, str]) -> list[str]:
    """Return the helpers that the text uses, directly or through other helpers."""
    needed: dict[str, None] = {}
    open_texts = [text]
    while open_texts:
        words = {*re.findall(r"\b\w+(?=[(,.)])", open_texts.pop())}
        for name in helpers:
            if name in words and name not in needed:
                needed[name] = None
                open_texts.append(helpers[name])
    return [source for name, source in helpers.items() if name in needed]
