"""Any network by a reference: a spec, a model of a package, a class in a Python file, an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from archcalc.arithmetic import Shape, as_python
from archcalc.errors import SpecError, UserError
from archcalc.imports.cache import Cache, cache_folder, file_digest
from archcalc.imports.inputs import TOKENS, GivenInput, GivenInputs, example, given_inputs, shapes_of
from archcalc.imports.quiet import quiet
from archcalc.imports.references import OnnxModel, PackageModel, ScriptModel, Source, parse_source
from archcalc.language.library import find, open_document
from archcalc.language.source import SpecDocument, spec_text
from archcalc.network import Network
from archcalc.ops.vocabulary import shape_text
from archcalc.requirements import need, need_torch
from archcalc.structs import Struct, replace
from archcalc.words import help_line, quote, split_help

if TYPE_CHECKING:
    from torch import nn

Reference: TypeAlias = "Network | str | Path | Mapping[str, Any]"
"""A network, or what `archcalc.load` takes."""
MOST_ON_CPU = 10**9
"""Parameters of the largest model that is built with numbers, if it cannot be followed without."""
NO_OPERATOR = "archcalc.Given"
"""What PyTorch makes of a layer that no operator says: zeros, unless its origin makes a module."""


def _nothing(source: Source) -> None:
    pass


class ImportedAgain(Struct):
    """The origin of a layer that only its own model can run: for a module that is built, the model is imported again.

    A network that was kept, or followed without numbers, has no tensors.
    """

    layer: str
    live: Callable[[], Network]
    place: None = None

    def make_module(self) -> Any:
        """Return the module of the layer."""
        origin: Any = self.live()[self.layer].origin
        return origin.make_module()


@dataclass
class Opening:
    """How imported networks are opened."""

    cache: Cache
    running: Callable[[ScriptModel], None] = _nothing
    """Called before a Python file is run."""

    def open(self, source: Source, given: GivenInputs = ()) -> Network:
        """Return the network of a source.

        Args:
            source: what `parse_source` returns.
            given: the shapes of its inputs; empty for those that it usually has.

        Raises:
            UserError: if there is no such model, if its inputs are not known, or if it cannot be followed.
            MissingExtra: if a package is not installed.
        """
        key = _key(source, given)
        network = self.cache.find(key)
        if network is None:
            network, files = self._read(source, given)
            self.cache.keep(key, network, files)
            if isinstance(source, ScriptModel):
                return network  # its layers have their tensors
        if not isinstance(source, OnnxModel):
            live = cache(lambda: self._live(source, given))
            for layer in network.layers:
                has_none = layer.op.torch().target.startswith(NO_OPERATOR)
                layer.origin = ImportedAgain(layer.name, live) if has_none else None  # its own tensors have no numbers
        return network

    def _live(self, source: PackageModel | ScriptModel, given: GivenInputs) -> Network:
        """Return a network whose layers have the tensors of its module."""
        if isinstance(source, ScriptModel):
            return self._read(source, given)[0]
        from archcalc.imports.torch_modules import package_module

        with quiet():
            return _followed(source, package_module(source), given)

    def _read(self, source: Source, given: GivenInputs) -> tuple[Network, Sequence[Path]]:
        if isinstance(source, OnnxModel):
            return _onnx(source, given), ()
        if isinstance(source, ScriptModel):
            _need_file(source.path)
        need_torch()
        if isinstance(source, ScriptModel):
            from archcalc.imports.scripts import script_module

            self.running(source)
            module, files = script_module(source)
            return follow(module, given, {}, source.name.rpartition(".")[2]), files
        with quiet():
            return _package(source, given), ()


def _key(source: Source, given: GivenInputs) -> dict[str, Any]:
    """Return what a network depends on, besides versions and the files that a Python file imports."""
    key: dict[str, Any] = {"inputs": given}
    if isinstance(source, PackageModel):
        return {**key, "package": source.package, "name": source.name, "keywords": repr(source.keywords)}
    path = source.path.resolve()
    key |= {"path": str(path), "content": file_digest(path)}
    if isinstance(source, ScriptModel):
        key |= {"name": source.name, "keywords": repr(source.keywords)}
    return key


def _need_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"there is no file {quote(str(path))}")


def _onnx(source: OnnxModel, given: GivenInputs) -> Network:
    _need_file(source.path)
    need("onnx", "onnx")
    from archcalc.imports.onnx_file import read_onnx

    with quiet():
        return read_onnx(source.path, _by_name(source.path, given))


def _by_name(path: Path, given: GivenInputs) -> Mapping[str, Shape] | None:
    """Return inputs by the names that an ONNX file has; without a name, they are in its order."""
    if all(name not in ("", "input", TOKENS) for name, _ in given):
        return shapes_of(given)
    from archcalc.imports.onnx_inputs import free_inputs
    from archcalc.imports.onnx_model import read_model

    names = [value.name for value in free_inputs(read_model(path).graph)]
    if len(given) > len(names):
        raise UserError(f"{quote(str(path))} has {len(names)} inputs, got {len(given)}")
    return {name if name in names[index:] else names[index]: shape for index, (name, shape) in enumerate(given)}


def _package(source: PackageModel, given: GivenInputs) -> Network:
    """Follow a model on the meta device, which takes neither time nor memory; on the CPU if it does not allow that."""
    import torch

    from archcalc.imports.torch_modules import package_module

    try:
        with torch.device("meta"):
            module = package_module(source)
    except (UserError, NotImplementedError):
        return _followed(source, package_module(source), given)
    try:
        with torch.device("meta"):
            return _followed(source, module, given)
    except NotFollowed:
        if sum(parameter.numel() for parameter in module.parameters()) > MOST_ON_CPU:
            raise
        return _followed(source, package_module(source), given)


def _followed(source: PackageModel, module: nn.Module, given: GivenInputs) -> Network:
    from archcalc.imports.torch_modules import usual_inputs

    network = follow(module, given, usual_inputs(source, module), source.name.rpartition("/")[2])
    return replace(network, about=replace(network.about, reference=source.text))


class NotFollowed(UserError):
    """PyTorch cannot export a module, for these inputs."""

    code = "A206"


def follow(module: nn.Module, given: GivenInputs, usual: Mapping[str, Shape], name: str = "") -> Network:
    """Return the network of a module for inputs of these shapes."""
    positional, named = example(module, given, usual)
    try:
        return trace(module, *positional, name=name, keywords=named)
    except UserError as error:
        statement, fix = split_help(str(error))
        raise NotFollowed(f"{statement}{help_line(fix or _with_inputs(positional, named))}") from error


def follow_inputs(module: nn.Module, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Network:
    """Return the network of a module for inputs that are shapes without the batch, or tensors with it.

    A dictionary or a list of tensors is one input; the shapes in it are given by names such as `batch.image`.
    """
    need_torch()
    from archcalc.imports.recording import tensors_of

    every = (*(("", value) for value in inputs), *keywords.items())
    tensors = [next(tensors_of(value), None) is not None for _, value in every]
    if all(tensors):
        return trace(module, *inputs, keywords=keywords)
    if any(tensors):
        raise UserError("the inputs are shapes and tensors; give shapes alone, or tensors alone")
    return follow(module, tuple(GivenInput(name, tuple(shape)) for name, shape in every), {})


def _with_inputs(positional: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Return what was tried, for the help of an error."""
    from archcalc.imports.recording import tensors_of

    tensors = [("", tensor) for tensor in tensors_of(positional)]
    tensors += [(name, tensor) for name, value in named.items() for tensor in tensors_of(value)]
    tried = " and ".join(
        f"{f'{name} ' if name else ''}{shape_text(tuple(tensor.shape[1:]))} "
        f"({'numbers' if tensor.is_floating_point() else 'integers'})"
        for name, tensor in tensors
    )
    return f"the input was {tried}, without the batch; --input tokens=N gives N integers"


def trace(module: nn.Module, *inputs: Any, name: str = "", keywords: Mapping[str, Any] | None = None) -> Network:
    """Return the network of a PyTorch module, as it computes an example.

    Nothing is computed, unless PyTorch cannot export the module whole: it is run once then, and exported by its parts.

    Args:
        module: it is followed in evaluation mode, and left as it was.
        inputs: example tensors with a batch, whose size does not matter; or dictionaries, lists and tuples of them.
        name: name of the network; the module's class if empty.
        keywords: examples that are given by name.

    Raises:
        MissingExtra: if torch is not installed.
        UserError: if PyTorch can export no part of the module, with its reason.

    Examples:
        >>> import archcalc, torch
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
        >>> network = archcalc.trace(module, torch.zeros(1, 3, 32, 32))
        >>> network["0"].output_shape, network.analyze().totals.macs
        ((8, 30, 30), 194400)
    """
    need_torch()
    from archcalc.imports.torch_export import trace as follow_export

    with quiet():
        return follow_export(module, *inputs, name=name, keywords=keywords)


def load(
    reference: str | Path | Mapping[str, Any],
    *,
    input: Shape | Mapping[str, Shape] | Sequence[Shape] | None = None,
    **settings: Any,
) -> Network:
    """Load a network: a bundled spec, a spec's file, a model of a package, an ONNX file, or a class in a Python file.

    Args:
        reference: a name, a path, either with `#variant`; or `timm:NAME`, `torchvision:NAME`, `transformers:CLASS`,
            `model.onnx`, `file.py:CLASS`, with `(KEYWORD=VALUE, …)`. A Python file is run. A dict, or a text with
            a line end, is a spec itself.
        input: the shape of the input without the batch, or input names to shapes; None for the network's own.
        settings: values of spec parameters.

    Raises:
        SpecError: with every error in a spec.
        UserError: if a network cannot be imported, with the reason.
        MissingExtra: if a package that it needs is not installed.

    Examples:
        >>> import archcalc
        >>> archcalc.load("resnet50", classes=10)["fc"].output_shape
        (10,)
        >>> archcalc.load("resnet50", input=(3, 64, 64))["avgpool"].op.inputs
        ((2048, 2, 2),)
        >>> archcalc.load({"input": [3, 8, 8], "layers": [{"conv": 16, "kernel": 3}]})["conv1"].output_shape
        (16, 6, 6)
    """
    given, settings = given_inputs(input), as_python(settings)
    if not isinstance(reference, (str, Path, Mapping)):
        raise UserError(f"expected a name, a path or a spec, got {type(reference).__name__}")
    if isinstance(reference, Mapping) or (isinstance(reference, str) and "\n" in reference):
        text = reference if isinstance(reference, str) else spec_text(reference)
        return open_document(SpecDocument(text, "spec.yaml")).network(None, settings, shapes_of(given))
    source = parse_source(str(reference))
    if source is None:
        return open_spec(str(reference), given, settings)
    refuse_settings(str(reference), settings)
    return Opening(Cache(cache_folder())).open(source, given)


def opened(network: Reference) -> Network:
    """Return a network, or load it."""
    return network if isinstance(network, Network) else load(network)


def open_spec(reference: str, given: GivenInputs, settings: Mapping[str, Any]) -> Network:
    """Return the network of a spec, with its parameters set."""
    spec, variant = find(reference)
    return spec.network(variant, dict(settings), shapes_of(given))


def refuse_settings(reference: str, settings: Sequence[str] | Mapping[str, Any]) -> None:
    """Raise `SpecError` if parameters are set of a network that is not a spec."""
    if settings:
        fix = f"set them where it is made, as in '{reference.partition('(')[0]}(width=32)'"
        if reference.lower().endswith(".onnx"):
            fix = "an ONNX file has no parameters; change its input with --input"
        raise SpecError(f"only a spec has parameters to set, and {quote(reference)} is none{help_line(fix)}")
