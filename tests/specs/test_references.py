"""Every bundled network that names a reference equals that implementation, tensor by tensor and count by count."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc import SpecError
from archcalc.language.library import bundled_networks
from archcalc.runtime.checks import own_tensors
from archcalc.runtime.reference import reference_module
from tests.bundled import spec_at

ELSEWHERE = ("detr_resnet50",)
"""Their references compute tables that the specs store: their own tests give the tables (`test_detection`)."""


def referenced() -> dict[str, tuple[str, str]]:
    """Name of every bundled network that has a reference, to the reference and to its family."""
    found = [(path.stem, spec_at(path).variant(variant)) for path, variant in bundled_networks()]
    return {
        one.name: (one.about.reference, family)
        for family, one in found
        if one.about.reference and one.name not in ELSEWHERE
    }


REFERENCED = referenced()
NETWORKS = {name: reference for name, (reference, _) in REFERENCED.items()}
FIRST = {family: name for name, (_, family) in reversed(REFERENCED.items())}
"""One network of every family, which is always tried."""
RESIZED = ("resnet18", "mobilenet_v2", "googlenet_torchvision", "efficientnet_b0", "swin_t", "bert_base")
"""Networks that are always tried at a second size too."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=() if FIRST[family] == name else pytest.mark.slow)
        for name, (_, family) in REFERENCED.items()
    ],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def meta_reference(name):
    try:
        with torch.device("meta"):
            return reference_module(NETWORKS[name]).eval()
    except NotImplementedError:  # torchvision's RegNet computes its widths with tensors
        return reference_module(NETWORKS[name]).to("meta").eval()


def other_size(name: str) -> tuple[int, ...] | None:
    """A smaller input that the network takes, or None."""
    channels, *sizes = next(iter(archcalc.load(name).inputs.values()))
    if not sizes:  # tokens
        return (channels // 2,)
    side = sizes[-1]
    for size in (side // 2 + 32, side // 2, side + 32):
        shape = (channels, *sizes[:-2], size, size)
        try:
            archcalc.load(name, input=shape)
        except SpecError:
            continue
        return shape
    return None


def random_input(name: str, size: tuple[int, ...], device: str = "cpu", dtype: torch.dtype = torch.float32):
    """Numbers, or the indices that the first embedding takes."""
    layers = archcalc.load(name).layers
    entries = next((layer.op.entries for layer in layers if layer.op.takes_indices), None)
    if entries is not None:
        return torch.randint(entries, size, device=device)
    return torch.randn(size, device=device, dtype=dtype)


@pytest.fixture(autouse=True)
def masks_without_numbers(monkeypatch):
    """transformers looks for several texts in one row by their positions, and meta tensors have no numbers."""
    masking = pytest.importorskip("transformers.masking_utils")
    monkeypatch.setattr(masking, "find_packed_sequence_indices", lambda position_ids: None)


def torch_flops(name: str, module: torch.nn.Module, size: tuple[int, ...]) -> int:
    torch.backends.mha.set_fastpath_enabled(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(random_input(name, size, "meta"))
    return counter.get_total_flops()


def test_tensors_are_those_of_the_reference(name, meta_reference):
    """Names and shapes of all parameters and buffers, side outputs included."""
    network = archcalc.load(name)
    layers = [layer for layer in network.layers if layer.shares is None]
    tensors = {tensor: shape for layer in layers for tensor, shape in layer.tensors().items()}
    own = {network.reference_name(tensor): shape for tensor, shape in tensors.items()}
    theirs = {key: tuple(tensor.shape) for key, tensor in own_tensors(meta_reference, own).items()}
    assert own == theirs


def test_multiply_adds_are_those_of_the_reference(name, meta_reference, request):
    """At the canonical input, and at another size with a batch of 2, by torch's own counter."""
    canonical = next(iter(archcalc.load(name).inputs.values()))
    sizes = [(canonical, 1)]
    if name in RESIZED or request.config.getoption("--slow"):
        sizes += [(shape, 2) for shape in (other_size(name),) if shape is not None]
    for shape, batch in sizes:
        try:
            expected = torch_flops(name, meta_reference, (batch, *shape))
        except (RuntimeError, AssertionError):
            if shape == canonical or name in RESIZED:
                raise
            continue  # the implementation takes no other size
        counted = archcalc.load(name, input=shape).analyze(batch=batch, convention="torch")
        assert counted.totals.flops == expected


def fvcore_counts(name: str, module: torch.nn.Module, shape: tuple[int, ...]) -> dict[str, int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count = FlopCountAnalysis(module, random_input(name, shape))
        count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return count.by_operator()


@pytest.mark.slow
@pytest.mark.parametrize("canonical", [True, False], ids=["canonical", "smaller, batch of 2"])
def test_fvcore_counts_are_those_of_the_reference(name, canonical):
    """Convolution, linear and batch normalization, by fvcore on the implementation."""
    batch, shape = (1, next(iter(archcalc.load(name).inputs.values()))) if canonical else (2, other_size(name))
    if shape is None:
        pytest.skip("it takes no other size")
    try:
        by_operator = fvcore_counts(name, reference_module(NETWORKS[name]).eval(), (batch, *shape))
    except (RuntimeError, AssertionError):
        if canonical:
            raise
        pytest.skip("the implementation takes no other size")
    rows = archcalc.load(name, input=shape).analyze(batch=batch, convention="fvcore").rows
    products = ("linear", "multi_head_attention", "window_attention", "matmul")
    for operators, mine in (
        (("conv",), ("conv",)),
        (("linear", "matmul"), products),
        (("batch_norm",), ("batch_norm",)),
    ):
        expected = sum(by_operator.get(operator, 0) for operator in operators)
        assert sum(row.flops for row in rows if row.layer.op.kind in mine) == expected, operators


@pytest.mark.slow
def test_outputs_are_those_of_the_reference(name):
    """The reference's random weights in archcalc's module give the same output, in float64."""
    if archcalc.load(name).analyze().totals.params > 5e8:
        pytest.skip("two copies of its weights need too much memory")
    torch.manual_seed(0)
    reference = reference_module(NETWORKS[name]).eval().double()
    for key, tensor in reference.state_dict().items():
        if tensor.is_floating_point() and tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5) if key.endswith(("weight", "running_var")) else tensor.normal_(0, 0.1)
    canonical = next(iter(archcalc.load(name).inputs.values()))
    shape = other_size(name) if canonical[-1] > 224 else canonical
    network = archcalc.load(name, input=shape or canonical)
    module = archcalc.build(network).eval().double()
    apart = tuple(f"{layer.name}." for layer in network.layers if layer.auxiliary)
    names = {key: network.reference_name(key) for key in module.state_dict()}
    state = {names[key]: tensor for key, tensor in module.state_dict().items()}
    theirs = {key: tensor for key, tensor in own_tensors(reference, state).items() if not key.startswith(apart)}
    module.load_state_dict({key: theirs[name] for key, name in names.items()}, strict=True)
    assert theirs.keys() == state.keys()
    x = random_input(name, (2, *(shape or canonical)), dtype=torch.float64)
    with torch.no_grad():
        outputs = zip(tree_leaves(module(x)), tree_leaves(reference(x)), strict=True)
        for mine, expected in outputs:
            scale = expected.abs().max().item()
            assert math.isfinite(scale)
            assert (mine - expected).abs().max().item() <= 1e-10 * scale
