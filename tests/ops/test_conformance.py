"""Every operator, at every one of its examples, against PyTorch and the counting tools.

A new operator is tested by existing.
"""

from __future__ import annotations

import math
import warnings
from functools import reduce
from itertools import product

import pytest
import sympy
import torch
from fvcore.nn import FlopCountAnalysis
from torch.nn.attention import SDPBackend, sdpa_kernel

from archcalc.analysis import CONVENTIONS
from archcalc.analysis.liveness import peak
from archcalc.analysis.training import training_peak
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.ops.operator import GLANCE, PRIMITIVES, WHOLE_AXIS, Operator, Window
from archcalc.runtime.building import build_module, is_module
from archcalc.runtime.checks import Subject
from archcalc.runtime.flop_counter import counts_attention, torch_counter, torch_counter_of_unfused_attention
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as training_peak_measured

BATCH = 2
CPU = torch.device("cpu")
CASES = [
    pytest.param(kind, example, id=f"{kind}-{number}")
    for kind, operator in registry().items()
    for number, example in enumerate(operator.examples)
]


def apply(kind: str, example) -> Operator:
    return registry()[kind](example.inputs, **example.arguments)


def network_of(op: Operator) -> Network:
    names = tuple(f"x{number}" for number in range(len(op.inputs)))
    layer = Layer("layer", op, names)
    return Network("one", dict(zip(names, op.inputs, strict=True)), (layer,), ("layer",))


def random_inputs(op: Operator, device: str = "cpu") -> list[torch.Tensor]:
    dtype = torch.long if op.kind == "embedding" else torch.float32
    return [torch.ones(BATCH, *shape, dtype=dtype, device=device) for shape in op.inputs]


@pytest.mark.parametrize("kind", registry())
def test_is_complete(kind):
    """It says what it is, has examples, and every argument says what it is for."""
    operator = registry()[kind]
    assert operator.examples
    assert operator.category
    assert operator.__doc__
    assert all(argument.doc for argument in operator.arguments.values())


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_shape_and_weights_are_those_of_torch(kind, example):
    """On the meta device: nothing is computed, but PyTorch's own shapes come out."""
    op = apply(kind, example)
    with torch.device("meta"):
        module = build_module(network_of(op))
        output = module(*random_inputs(op, "meta"))
    assert tuple(output.shape) == (BATCH, *op.output)
    if is_module(op.torch()):
        assert {name: tuple(p.shape) for name, p in module.layer.named_parameters()} == op.weights()
        assert {name: tuple(b.shape) for name, b in module.layer.named_buffers()} == op.buffers()
    else:
        assert [tuple(p.shape) for p in module.parameters()] == list(op.weights().values())
        assert not op.buffers()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_torch_convention_is_what_torch_counts(kind, example):
    op = apply(kind, example)
    module = build_module(network_of(op)).eval()
    counting = torch_counter() if counts_attention(CPU) else torch_counter_of_unfused_attention()
    with counting as counter, torch.no_grad():
        module(*random_inputs(op))
    assert BATCH * CONVENTIONS["torch"].flops(op, op.work()) == counter.get_total_flops()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_fvcore_convention_is_what_fvcore_counts(kind, example):
    op = apply(kind, example)
    module = build_module(network_of(op)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count = FlopCountAnalysis(module, tuple(random_inputs(op)))
        count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        assert BATCH * CONVENTIONS["fvcore"].flops(op, op.work()) == count.total()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_work_is_of_known_primitives_and_never_negative(kind, example):
    work = apply(kind, example).work()
    assert set(work) <= set(PRIMITIVES)
    assert all(count >= 0 for count in work.values())


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_rules_hold_over_symbols(kind, example):
    """The same rules, handed a symbol for a spatial size, give a formula that evaluates to the table's numbers."""
    op = apply(kind, example)
    axis = len(op.x) - 1 if kind not in ("multi_head_attention", "window_attention") else 0
    if len(op.x) < 2 or kind in ("reshape", "adaptive_avg_pool", "adaptive_max_pool", "slice", "chunk", "upsample"):
        pytest.skip("its form depends on the size")
    size = sympy.Symbol("n", integer=True, positive=True)
    value = op.x[axis]
    if any(shape[axis] != value for shape in op.inputs):
        pytest.skip("inputs of several sizes")
    symbolic = registry()[kind]([(*shape[:axis], size, *shape[axis + 1 :]) for shape in op.inputs], **example.arguments)

    def at(expression):
        return sympy.sympify(expression).subs(size, value)

    assert tuple(map(at, symbolic.output)) == op.output
    assert {name: at(count) for name, count in symbolic.work().items()} == op.work()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_what_autograd_keeps_is_what_it_saves(kind, example):
    """Distinct storages that autograd saves in training, weights and buffers apart, to the byte."""
    op = apply(kind, example)
    module = build_module(network_of(op))
    inputs = random_inputs(op)
    if not op.takes_indices:
        inputs = [tensor.requires_grad_() for tensor in inputs]
    keeps = op.keeps()
    expected = 4 * (BATCH * (keeps.elements + keeps.precise) + keeps.shared) + BATCH * keeps.index_bytes
    expected += sum(tensor.nbytes for at, tensor in enumerate(inputs) if keeps.input(at))
    expected += 4 * BATCH * math.prod(op.output) if keeps.output else 0
    assert expected == saved_bytes(module, tuple(inputs))


def between_others(op: Operator) -> Network:
    """A network that gives the operator computed inputs, and takes its output: it holds neither of them itself."""
    layers, names = [], []
    for number, shape in enumerate(op.inputs):
        shift = registry()["position_embedding"]([shape])
        layers.append(Layer(f"before{number}", shift, (f"x{number}",)))
        names.append(f"before{number}")
    layers.append(Layer("layer", op, tuple(names)))
    layers.append(Layer("after", registry()["scale"]([op.output], factor=2), ("layer",)))
    inputs = {f"x{number}": shape for number, shape in enumerate(op.inputs)}
    return Network("three", inputs, tuple(layers), ("after",))


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_peak_of_inference_is_what_the_module_makes(kind, example):
    """With every tensor on its way, for several batches, to the byte."""
    op = apply(kind, example)
    network = network_of(op) if op.takes_indices else between_others(op)
    for batch in (2, 3, 5):
        subject = Subject(network, torch.device("cpu"), torch.float32, batch)
        predicted, measured = peak(subject.analyze()).live_bytes, inference_peak(subject.module, subject.inputs())
        assert predicted == measured


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_peak_of_a_training_step_is_what_the_module_makes(kind, example):
    """Forward and backward pass, with the gradients of inputs and weights; and where nothing is trained."""
    op = apply(kind, example)
    networks = [network_of(op) if op.takes_indices else between_others(op)]
    if not op.weights():
        networks.append(network_of(op))
    for network, batch in product(networks, (2, 3)):
        subject = Subject(network, torch.device("cpu"), torch.float32, batch)
        predicted = training_peak(subject.analyze(), "none").live_bytes
        measured = training_peak_measured(subject.module, subject.inputs())
        assert predicted == measured


def seen_by_nan(op: Operator, number: int, axis: int) -> dict[int, set[int]]:
    """For each output position along the axis, the input positions whose NaN reaches it."""
    module = build_module(network_of(op)).eval()
    seen: dict[int, set[int]] = {position: set() for position in range(op.output[axis])}
    for position in range(op.inputs[number][axis]):
        inputs = random_inputs(op)
        inputs[number].select(axis + 1, position).fill_(math.nan)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernel swallows a query's NaN
            output = module(*inputs)
        others = [at for at in range(output.dim()) if at != axis + 1]
        reached = reduce(lambda tensor, at: tensor.any(at, keepdim=True), others, output.isnan()).flatten()
        for at in reached.nonzero().flatten().tolist():
            seen[at].add(position)
    return seen


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_sight_is_where_nan_reaches_from(kind, example):
    """A NaN at an input position reaches exactly the outputs that see it."""
    op = apply(kind, example)
    if getattr(op, "shift", 0):
        pytest.skip("a mask hides what is across the seam, but NaN passes it")
    if kind == "embedding" or len(op.axes()) != len(op.x) or kind in ("permute", "reshape"):
        pytest.skip("positions are moved to other axes")
    for number, sight in enumerate(op.sights()):
        for axis, look in enumerate(sight):
            size = op.inputs[number][axis]
            if size > 40 or op.output[axis] == 1:
                continue
            seen = seen_by_nan(op, number, axis)
            if look in (WHOLE_AXIS, GLANCE):
                if axis > 0 or kind == "linear":
                    assert all(len(positions) == size for positions in seen.values())
                continue
            assert isinstance(look, Window)
            for position, positions in seen.items():
                first = math.ceil(look.stride * position + look.first)
                last = math.floor(look.stride * position + look.last)
                if first < 0 or last >= size:
                    continue  # at the border, padding and mirrored or repeated positions take part
                if kind in ("upsample", "adaptive_avg_pool", "adaptive_max_pool", "window_attention"):
                    assert positions <= set(range(first, last + 1))  # a hull over all positions
                else:
                    assert (min(positions), max(positions)) == (first, last)
