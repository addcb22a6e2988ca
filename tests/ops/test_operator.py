"""The base class of operators: what a declaration needs, and that a bound operator does not change."""

from __future__ import annotations

import pickle
import subprocess
import sys
from types import ModuleType

import pytest

from archcalc import analyze
from archcalc.arithmetic import ShapeError
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.ops.layout import InputTensors
from archcalc.ops.operator import Operator
from archcalc.quantities.table import FACTS

CASES = [
    pytest.param(kind, example, id=f"{kind}-{number}")
    for kind, operator in registry().items()
    for number, example in enumerate(operator.examples)
]

SOURCE = """
{future}
from archcalc.ops.arguments import Count, Extent, option, required
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import SAME_POSITION, Torch, example


class Repeat(Operator):
    '''Each number, several times.'''

    kind = "repeat_for_test"
    category = "shape"
    times: Count = required("how often")
    examples = (example((3, 4, 5), times=2),)

    def output_shape(self):
        return (self.x[0] * self.times, *self.x[1:])

    def work(self):
        return {{}}

    def access(self):
        return (SAME_POSITION,) * len(self.x)

    def torch(self):
        return Torch("torch.repeat_interleave", (self.times, 1))
"""


def defined(source: str, monkeypatch) -> ModuleType:
    """A module made of this source, as if imported."""
    module = ModuleType("operator_for_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, module.__dict__)
    return module


def values(op: Operator):
    """What an operator is bound to, without the identity of an operator inside it."""
    return {name: vars(value) if isinstance(value, Operator) else value for name, value in vars(op).items()}


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_a_bound_operator_does_not_change(kind, example):
    op = registry()[kind](example.inputs, **example.arguments)
    before = dict(vars(op))
    for name in (*before, *op.arguments, "new"):
        with pytest.raises(AttributeError, match=f"{kind} is bound"):
            setattr(op, name, None)
        with pytest.raises(AttributeError, match=f"{kind} is bound"):
            delattr(op, name)
    op.work(), op.weights(), op.accesses(), op.torch()
    if op.models_memory():
        op.saved_tensors_for(InputTensors.one_sample(op.inputs)), op.workspaces()
    op.linearized(), op.hyperparameters(), repr(op)
    assert vars(op) == before
    assert values(pickle.loads(pickle.dumps(op))) == values(op)


def test_a_copy_with_other_shapes_counts_with_them():
    conv = registry()["conv"]([(3, 8, 8)], channels=4, kernel=3)
    other = conv.with_output((4, 5, 5))
    assert other.work()["mac"] == 4 * 5 * 5 * 3 * 9
    assert conv.work()["mac"] == 4 * 6 * 6 * 3 * 9


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
def test_shape_weights_work_sight_and_module_are_enough(future, monkeypatch):
    """For an operator without a memory model, everything works, and memory is estimated and says so."""
    repeat = defined(SOURCE.format(future=future), monkeypatch).Repeat
    assert repeat.arguments["times"].required
    op = repeat([(3, 4, 5)], times=2)
    layer = Layer("twice", op, ("x",))
    analysis = analyze(Network("n", {"x": (3, 4, 5)}, (layer,), ("twice",)))
    assert analysis.rows[0].output_shape == (6, 4, 5)
    assert "twice" in str(analysis)
    for mode in ("inference", "training"):
        memory = analysis.memory(mode)
        assert memory.peak == 4 * (3 + 6) * 4 * 5  # the input and the output
        assert memory.estimated == ("twice",)
    assert analysis.fit(10**9).batch == 10**9 // 720
    assert FACTS["peak_memory"].of_network(analysis) == analysis.memory("inference").peak


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("times: int = required('how often')", "Repeat.times .* annotate it with one of the types"),
        ("times = required('how often')", "Repeat.times .* annotate it with one of the types"),
        ("times: 'Number' = required('how often')", "Repeat.times: name 'Number' is not defined"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_refused(declaration, message, monkeypatch):
    source = SOURCE.format(future="").replace('times: Count = required("how often")', declaration)
    with pytest.raises(TypeError, match=message):
        defined(source, monkeypatch)


def test_a_subclass_of_an_operator_keeps_its_arguments():
    assert [*registry()["avg_pool"].arguments] == ["kernel", "stride", "padding", "ceil_mode", "count_include_pad"]
    assert issubclass(registry()["avg_pool"], Operator)


@pytest.mark.parametrize("padding", [0, "same", "valid"])
@pytest.mark.parametrize("filters", [(4, 3), (4, 3, 3), (4, 2, 3, 3), (4, 3, 3, 3, 3)])
def test_filters_of_another_shape_are_refused(filters, padding):
    with pytest.raises(ShapeError, match="are not filters for 3×8×8"):
        registry()["dynamic_conv"]([(3, 8, 8), filters], padding=padding)


def test_the_order_of_operators_does_not_follow_the_imports():
    code = "import archcalc.ops.window_attention\nfrom archcalc.ops import registry\nprint(*registry())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.split() == [*registry()]
