"""The checks of `archcalc verify`: an analysis compared with PyTorch and the counting tools.

Each check takes a `VerificationTarget` and returns a `Check`. If numbers differ, it names the layer and both numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from archcalc.analysis import Analysis, Counting, analyze
from archcalc.imports.quiet import quiet
from archcalc.network import Layer, Network
from archcalc.ops.trained import Constant
from archcalc.requirements import need
from archcalc.runtime.building import build_module
from archcalc.runtime.flop_counter import misses_attention, torch_counter, torch_counter_of_unfused_attention
from archcalc.runtime.memory import forward_and_backward
from archcalc.runtime.reference import reference_module
from archcalc.runtime.tolerances import OUTPUT
from archcalc.structs import Struct, replace

MAX_NAMED = 3
"""Number of differing layers that are named."""
BLIND = f"does not count attention on this device ({torch.__version__.partition('+')[0]})"
"""The note for a counter that misses attention; its total is not compared."""


class Check(Struct):
    """The result of one check. ``passed`` is None if there was nothing to check; ``detail`` says why."""

    name: str
    passed: bool | None
    detail: str = ""
    figures: Mapping[str, Any] = {}
    note: str = ""
    """A remark on how the check was made."""


class VerificationTarget:
    """A network on a device, with its built module."""

    def __init__(
        self, network: Network, device: torch.device, dtype: torch.dtype, batch: int, channels_last: bool = False
    ) -> None:
        self.network = network
        self.device = device
        self.dtype = dtype
        self.batch = batch
        self.channels_last = channels_last

    def analyze(self, convention: str = "lecture") -> Analysis:
        """Return archcalc's analysis."""
        return analyze(self.network, Counting(self.batch, convention=convention))

    @cached_property
    def module(self) -> nn.Module:
        """The built module, for inference."""
        return self.placed(build_module(self.network), self.dtype)

    def placed(self, module: nn.Module, dtype: torch.dtype) -> nn.Module:
        """Return a module for inference on the device, in a type and in the target's memory format."""
        module = module.eval().to(self.device, dtype)
        return module.to(memory_format=torch.channels_last) if self.channels_last else module

    def inputs(self, dtype: torch.dtype | None = None, batch: int | None = None) -> tuple[Tensor, ...]:
        """Return random inputs; zeros of an integer type for indices."""
        tensors = []
        for name, shape in self.network.inputs.items():
            size = (batch or self.batch, *shape)
            if name in self.network.indices:
                tensors.append(torch.zeros(size, dtype=torch.long, device=self.device))
                continue
            tensor = torch.randn(size, device=self.device).to(dtype or self.dtype)
            if self.channels_last and tensor.dim() == 4:
                tensor = tensor.contiguous(memory_format=torch.channels_last)
            tensors.append(tensor)
        return tuple(tensors)


def _verdict(name: str, differing: list[str], figures: dict[str, Any] | None = None) -> Check:
    if not differing:
        return Check(name, True, figures=figures or {})
    more = f"; and {len(differing) - MAX_NAMED} more" if len(differing) > MAX_NAMED else ""
    return Check(name, False, "; ".join(differing[:MAX_NAMED]) + more, figures or {})


class _ShapeRecorder(fx.Interpreter):
    """Runs a module node by node, and records the output shape of each layer."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[str, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if "layer" in n.meta:
            self.shapes[n.meta["layer"]] = tuple(result.shape)
        return result


def check_shapes(subject: VerificationTarget) -> Check:
    """Compare the output shape of every layer."""
    assert isinstance(subject.module, fx.GraphModule)
    recorder = _ShapeRecorder(subject.module)
    with torch.no_grad():
        recorder.run(*subject.inputs())
    differing = []
    for row in subject.analyze().rows:
        real = recorder.shapes.get(row.name)
        if real is not None and real != (subject.batch, *row.output_shape):
            differing.append(f"{row.name}: archcalc {row.output_shape}, torch {real[1:]}")
    return _verdict("shapes", differing, {"layers": len(recorder.shapes)})


def check_tensors(subject: VerificationTarget) -> Check:
    """Compare the shape of every parameter and buffer, and the totals."""
    state = {name: tuple(tensor.shape) for name, tensor in subject.module.state_dict().items()}
    mine = {
        name: shape
        for layer in subject.network.layers
        if not layer.auxiliary
        for name, shape in layer.tensors().items()
    }
    differing = [
        f"{name}: archcalc {mine.get(name, 'has none')}, torch {state.get(name, 'has none')}"
        for name in mine | state
        if mine.get(name) != state.get(name)
    ]
    totals = subject.analyze().totals
    real = sum(tensor.numel() for tensor in subject.module.parameters())
    buffers = sum(tensor.numel() for name, tensor in subject.module.named_buffers() if name in state)
    if (totals.params, totals.buffers) != (real, buffers):
        differing.append(f"totals: archcalc {totals.params:,} and {totals.buffers:,}, torch {real:,} and {buffers:,}")
    return _verdict("tensors", differing, {"params": real, "buffers": buffers})


def _compare_layers(name: str, analysis: Analysis, counted: dict[str, int], total: int, tool: str) -> Check:
    """Compare counts per module and in total; layers that share a module are summed."""
    mine: dict[str, int] = {}
    opaque = [row for row in analysis.rows if _stands_in(row.layer)]
    for row in analysis.rows:
        if row in opaque:
            continue
        path = row.layer.shares or row.name
        mine[path] = mine.get(path, 0) + row.flops
    differing = [
        f"{path}: archcalc {flops:,}, {tool} {counted[path]:,}"
        for path, flops in mine.items()
        if path in counted and counted[path] != flops
    ]
    flops = analysis.totals.flops - sum(row.flops for row in opaque)
    if total != flops:
        differing.append(f"total: archcalc {flops:,}, {tool} {total:,}")
    check = _verdict(name, differing, {"archcalc": flops, tool: total})
    names = ", ".join(row.name for row in opaque)
    return replace(check, note=f"layers whose numbers are given are not compared: {names}") if opaque else check


def _stands_in(layer: Layer) -> bool:
    """Return True for a layer whose numbers are given, and of which PyTorch computes nothing."""
    return layer.op.numbers_are_given and not hasattr(layer.origin, "make_module")


def check_fvcore(subject: VerificationTarget) -> Check:
    """Compare parameters, and FLOPs per layer and in total, with fvcore."""
    counting = need("fvcore.nn", "torch")
    with quiet():
        count = counting.FlopCountAnalysis(subject.module, subject.inputs())
        count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        try:
            modules = {path: int(flops) for path, flops in count.by_module().items()}
        except RuntimeError:
            replayed = [layer.name for layer in subject.network.layers if layer.op.numbers_are_given]
            if not replayed:
                raise
            return Check("fvcore", None, note=f"fvcore cannot follow what no operator says, such as {replayed[0]}")
        except AssertionError:  # fvcore asserts that a normalization has at most 5 axes with the batch
            deep = [
                layer.name
                for layer in subject.network.layers
                if layer.op.category == "normalization" and len(layer.op.x) > 4
            ]
            if not deep:
                raise
            return Check("fvcore", None, note=f"fvcore counts no normalization of so many axes as {deep[0]} has")
        by_operator = {operator: int(flops) for operator, flops in count.by_operator().items()}
    analysis = subject.analyze("fvcore")
    params = counting.parameter_count(subject.module)[""]
    if params != analysis.totals.params:
        return Check("fvcore", False, f"params: archcalc {analysis.totals.params:,}, fvcore {params:,}")
    check = _compare_layers("fvcore", analysis, modules, sum(by_operator.values()), "fvcore")
    return replace(check, figures={**check.figures, "by_operator": by_operator})


def check_torch(subject: VerificationTarget) -> Check:
    """Compare FLOPs per layer and in total with FlopCounterMode; without fused attention if the counter misses that."""
    check = _check_torch(subject, torch_counter())
    if check.passed or not misses_attention(subject.module, subject.inputs()):
        return check
    check = _check_torch(subject, torch_counter_of_unfused_attention())
    return replace(check, note=f"{BLIND}; it was counted without the fused kernel")


def _check_torch(subject: VerificationTarget, counting: AbstractContextManager[FlopCounterMode]) -> Check:
    with counting as counter, torch.no_grad():
        subject.module(*subject.inputs())
    counts = counter.get_flop_counts()
    modules = {path.partition(".")[2]: sum(by_operator.values()) for path, by_operator in counts.items()}
    return _compare_layers("torch", subject.analyze("torch"), modules, counter.get_total_flops(), "torch")


def check_torch_backward(subject: VerificationTarget) -> Check:
    """Compare the total FLOPs of a forward and a backward pass with FlopCounterMode."""
    if any(layer.op.numbers_are_given for layer in subject.network.layers):
        return Check("backward", None, note="the backward pass of layers that no operator says is not known")
    if not any(parameter.requires_grad for parameter in subject.module.parameters()):
        return Check("backward", None, "the network has no trained parameters")
    with torch_counter() as counter:
        forward_and_backward(subject.module, subject.inputs())
    subject.module.zero_grad(set_to_none=True)
    mine, theirs = subject.analyze("torch").totals.step_flops, counter.get_total_flops()
    if mine != theirs and misses_attention(subject.module, subject.inputs()):
        return Check("backward", None, note=BLIND)
    differing = [] if mine == theirs else [f"a training step: archcalc {mine:,}, torch {theirs:,}"]
    return _verdict("backward", differing, {"archcalc": mine, "torch": theirs})


def own_tensors(module: nn.Module, wanted: Container[str] = ()) -> dict[str, Tensor]:
    """Return a module's state without the second names of shared tensors, unless they are ``wanted``.

    Tables of indices that are not ``wanted`` are left out too: they hold no numbers of the network.
    """
    state = module.state_dict(keep_vars=True)
    seen = {id(tensor) for key, tensor in state.items() if key in wanted}
    tensors = {}
    for key, tensor in state.items():
        is_table = tensor.dim() > 0 and not tensor.is_floating_point()
        if key in wanted or not (is_table or id(tensor) in seen):
            tensors[key] = tensor.detach()
        seen.add(id(tensor))
    return tensors


def computed_tables(network: Network, reference: Container[str]) -> list[str]:
    """Return the tensors of constants that the reference does not store, because it computes them in every pass."""
    names = (
        network.reference_name(name)
        for layer in network.layers
        if isinstance(layer.op, Constant)
        for name in layer.tensors()
    )
    return [name for name in names if name not in reference]


def _is_counter(name: str) -> bool:
    """True for the number of batches that a batch normalization has seen; a frozen one does not count."""
    return name.endswith(".num_batches_tracked")


def check_reference(subject: VerificationTarget) -> Check:
    """Compare with the reference implementation: tensors and, with its weights, outputs.

    Outputs are not compared if the reference computes what the spec stores as a constant.
    """
    name = subject.network.about.reference
    if not name:
        return Check("reference", None, "the spec names none")
    # Double precision shows that the computation is the same and not only similar; MPS does not have it.
    exact = torch.float32 if subject.device.type == "mps" else torch.float64
    reference = subject.placed(reference_module(name), exact)
    mine = subject.placed(build_module(subject.network), exact)
    renamed = subject.network.reference_name
    auxiliary = tuple(f"{renamed(layer.name)}." for layer in subject.network.layers if layer.auxiliary)
    names = {key: renamed(key) for key in mine.state_dict()}
    state = {names[key]: tensor for key, tensor in mine.state_dict().items()}
    others = own_tensors(reference, state)
    weights = {key: tensor for key, tensor in others.items() if not key.startswith(auxiliary)}
    tables = computed_tables(subject.network, weights)
    uncompared = {*tables, *(key for key in state if _is_counter(key) and key not in weights)}
    differing = [
        f"{key}: archcalc {tuple(state[key].shape) if key in state else 'has none'}, "
        f"{name} {tuple(weights[key].shape) if key in weights else 'has none'}"
        for key in state | weights
        if key not in uncompared and (key not in state or key not in weights or state[key].shape != weights[key].shape)
    ]
    if differing:
        return _verdict("reference", differing)
    if tables:
        note = f"outputs are not compared: {name} computes {', '.join(tables)}"
        return Check("reference", True, figures={"reference": name}, note=note)
    mine.load_state_dict({key: weights.get(name, state[name]) for key, name in names.items()})
    most = OUTPUT[str(exact).removeprefix("torch.")]
    return _compare_outputs(name, mine, reference, subject.inputs(exact, batch=1), most)


def _compare_outputs(
    name: str, mine: nn.Module, reference: nn.Module, images: tuple[Tensor, ...], most: float
) -> Check:
    """Compare the outputs of a network and of its reference with equal weights; they differ by at most ``most``."""
    with torch.no_grad():
        given, expected = tree_leaves(mine(*images)), tree_leaves(reference(*images))
    shapes = [[tuple(output.shape) for output in outputs] for outputs in (given, expected)]
    if shapes[0] != shapes[1]:
        return Check("reference", False, f"outputs: archcalc {shapes[0]}, {name} {shapes[1]}")
    error = max(
        float((own - their).abs().max() / their.abs().max().clamp_min(1e-30))
        for own, their in zip(given, expected, strict=True)
    )
    figures = {"reference": name, "relative_error": error}
    if not error <= most:
        return Check("reference", False, f"outputs differ by {error:.1e} of {name}'s largest", figures)
    return Check("reference", True, figures=figures)


CHECKS: tuple[Callable[[VerificationTarget], Check], ...] = (
    check_shapes,
    check_tensors,
    check_fvcore,
    check_torch,
    check_torch_backward,
    check_reference,
)
