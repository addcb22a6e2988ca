"""Every operator, at every one of its examples, against PyTorch and the counting tools.

A new operator is tested by existing.
"""

from __future__ import annotations

import math
import warnings
from functools import reduce
from itertools import product

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch.nn.attention import SDPBackend, sdpa_kernel

from archcalc.analysis import CONVENTIONS
from archcalc.memory.inference import peak
from archcalc.memory.training import training_peak
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.operator import Operator
from archcalc.ops.reads import Reads
from archcalc.ops.vocabulary import PRIMITIVES
from archcalc.runtime.building import build_module, is_module
from archcalc.runtime.checks import VerificationTarget
from archcalc.runtime.flop_counter import counts_attention, torch_counter, torch_counter_of_unfused_attention
from archcalc.runtime.memory import inference_peak, saved_bytes
from archcalc.runtime.memory import training_peak as training_peak_measured
from archcalc.symbolic.formulas import holds
from archcalc.symbolic.polynomials import Symbol
from archcalc.symbolic.traced import Trace, polynomial_of

BATCH = 2
CPU = torch.device("cpu")
CASES = [
    pytest.param(kind, example, id=f"{kind}-{number}")
    for kind, operator in registry().items()
    for number, example in enumerate(operator.examples)
]


def apply(kind: str, example) -> Operator:
    return registry()[kind](example.inputs, **example.arguments)


def apply_known(kind: str, example) -> Operator:
    op = apply(kind, example)
    if op.numbers_are_given:
        pytest.skip("its numbers are given, not counted")
    return op


def apply_with_memory(kind: str, example) -> Operator:
    op = apply(kind, example)
    if not op.models_memory():
        pytest.skip("its memory is not modelled")
    return op


def network_of(op: Operator) -> Network:
    names = tuple(f"x{number}" for number in range(len(op.inputs)))
    layer = Layer("layer", op, names)
    return Network("one", dict(zip(names, op.inputs, strict=True)), (layer,), ("layer",))


def random_inputs(op: Operator, device: str = "cpu") -> list[torch.Tensor]:
    dtype = torch.long if op.takes_indices else torch.float32
    return [torch.ones(BATCH, *shape, dtype=dtype, device=device) for shape in op.inputs]


@pytest.mark.parametrize("kind", registry())
def test_is_complete(kind):
    """It has a docstring and examples, and every argument has a description."""
    operator = registry()[kind]
    assert operator.examples
    assert operator.category
    assert operator.__doc__
    assert all(argument.doc for argument in operator.arguments.values())


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_shape_and_weights_are_those_of_torch(kind, example):
    """On the meta device, PyTorch computes the shapes only."""
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


def flops_of(op: Operator, convention: str) -> int:
    """FLOPs for `BATCH` samples."""
    rule = CONVENTIONS[convention]
    return BATCH * rule.flops(op, op.work()) + rule.flops_per_batch(op, op.work_per_batch())


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_torch_convention_is_what_torch_counts(kind, example):
    op = apply_known(kind, example)
    module = build_module(network_of(op)).eval().requires_grad_(False)
    counting = torch_counter() if counts_attention(CPU) else torch_counter_of_unfused_attention()
    with counting as counter, torch.no_grad():
        module(*random_inputs(op))
    assert flops_of(op, "torch") == counter.get_total_flops()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_fvcore_convention_is_what_fvcore_counts(kind, example):
    op = apply_known(kind, example)
    module = build_module(network_of(op)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count = FlopCountAnalysis(module, tuple(random_inputs(op)))
        count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        assert flops_of(op, "fvcore") == count.total()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_work_is_of_known_primitives_and_never_negative(kind, example):
    for work in (apply(kind, example).work(), apply(kind, example).work_per_batch()):
        assert set(work) <= set(PRIMITIVES)
        assert all(count >= 0 for count in work.values())


def resized(example, axis: int, size) -> list[tuple]:
    """The example's inputs with another size along an axis, in every input of the same size there."""
    old = example.inputs[0][axis]
    return [tuple(size if at == axis and n == old else n for at, n in enumerate(shape)) for shape in example.inputs]


def numbers_of(op: Operator) -> dict[str, object]:
    """Every number that the operator's rules compute."""
    return {
        **{f"output {axis}": size for axis, size in enumerate(op.output)},
        **{f"work {name}": count for name, count in op.work().items()},
        **{f"work per batch {name}": count for name, count in op.work_per_batch().items()},
        **{f"further {name}": count for name, count in op.extra_work().items()},
        **{f"weights {name}": math.prod(shape) for name, shape in {**op.weights(), **op.buffers()}.items()},
    }


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_rules_hold_over_traced_numbers(kind, example):
    """With a traced size, the rules give closed forms that equal the table wherever their guards hold."""
    table = numbers_of(apply(kind, example))
    for axis, value in enumerate(example.inputs[0]):
        trace, symbol = Trace(), Symbol("n")
        op = registry()[kind](resized(example, axis, trace.symbol(symbol, value)), **example.arguments)
        forms = {name: polynomial_of(number) for name, number in numbers_of(op).items()}
        assert {name: form.evaluate({symbol: value}) for name, form in forms.items()} == table
        for size in range(1, 3 * value + 2):
            if all(holds(guard, {symbol: size}) for guard in trace.guards):
                plain = registry()[kind](resized(example, axis, size), **example.arguments)
                assert {name: form.evaluate({symbol: size}) for name, form in forms.items()} == numbers_of(plain)


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_saved_tensors_are_what_autograd_saves(kind, example):
    """The distinct storages that autograd saves in training, without weights and buffers, to the byte."""
    op = apply_with_memory(kind, example)
    module = build_module(network_of(op))
    inputs = random_inputs(op)
    if not op.takes_indices:
        inputs = [tensor.requires_grad_() for tensor in inputs]
    layouts = tuple(Layout.in_order(tuple(tensor.shape)) for tensor in inputs)
    names = tuple(f"x{number}" for number in range(len(inputs)))
    needs_gradient = tuple(tensor.requires_grad for tensor in inputs)
    tensors = InputTensors(layouts, names, needs_gradient, training=True)
    keeps = op.saved_tensors_for(tensors)
    expected = 4 * (BATCH * (keeps.elements + keeps.precise) + keeps.shared) + BATCH * keeps.bytes
    expected += keeps.shared_bytes + 4 * keeps.shared_precise
    expected += sum(tensor.nbytes for at, tensor in enumerate(inputs) if keeps.input(at))
    expected += 4 * BATCH * math.prod(op.output) if keeps.output else 0
    assert expected == saved_bytes(module, tuple(inputs))


def between_others(op: Operator) -> Network:
    """A network in which the operator's inputs are computed and its output is used, so that nothing else holds them."""
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
    """With every temporary tensor, for several batches, to the byte."""
    op = apply_with_memory(kind, example)
    network = network_of(op) if op.takes_indices else between_others(op)
    for batch in (2, 3, 5):
        subject = VerificationTarget(network, torch.device("cpu"), torch.float32, batch)
        predicted, measured = peak(subject.analyze()).live_bytes, inference_peak(subject.module, subject.inputs())
        assert predicted == measured


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_peak_of_a_training_step_is_what_the_module_makes(kind, example):
    """Forward and backward pass, with gradients of inputs and weights; and without trained layers before it."""
    op = apply_with_memory(kind, example)
    networks = [network_of(op) if op.takes_indices else between_others(op)]
    if not op.weights():
        networks.append(network_of(op))
    for network, batch in product(networks, (2, 3)):
        subject = VerificationTarget(network, torch.device("cpu"), torch.float32, batch)
        predicted = training_peak(subject.analyze(), "none").live_bytes
        measured = training_peak_measured(subject.module, subject.inputs())
        assert predicted == measured


def seen_by_nan(op: Operator, number: int, axis: int, output_axis: int) -> list[set[int]]:
    """For each output position along an axis, the positions along an input's axis whose NaN reaches it."""
    module = build_module(network_of(op)).eval()
    seen: list[set[int]] = [set() for _ in range(op.output[output_axis])]
    for position in range(op.inputs[number][axis]):
        inputs = random_inputs(op)
        inputs[number].select(axis + 1, position).fill_(math.nan)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernel swallows a query's NaN
            output = module(*inputs)
        others = [other for other in range(output.dim()) if other != output_axis + 1]
        reached = reduce(lambda tensor, other: tensor.any(other, keepdim=True), others, output.isnan()).flatten()
        for index in reached.nonzero().flatten().tolist():
            seen[index].add(position)
    return seen


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_access_is_where_nan_comes_from(kind, example):
    """A NaN at an input position reaches exactly the outputs that read it; with `overestimates`, at most these."""
    op = apply_known(kind, example)
    if op.takes_indices:
        pytest.skip("an index cannot be NaN")
    loose = op.overestimates
    if "nan" in loose:
        pytest.skip(loose["nan"])
    for number, access in enumerate(op.accesses()):
        for output_axis, axes in enumerate(op.axes()):
            is_own = len(axes) == 1 and sum(axes[0] in others for others in op.axes()) == 1
            if not is_own or op.inputs[number][axes[0]] > 40 or op.output[output_axis] == 1:
                continue  # axes are merged or split, or it would take long, or there is one position for all
            look, size = access[axes[0]], op.inputs[number][axes[0]]
            is_bound = ("channels" if axes[0] == 0 else "positions") in loose
            for position, positions in enumerate(seen_by_nan(op, number, axes[0], output_axis)):
                expected = set(look.at(position)) if isinstance(look, Reads) else set(range(size))
                if expected <= set(range(size)):  # at the border, padding and repeated positions take part
                    assert positions <= expected if is_bound else positions == expected
