"""Modules that are hard to trace: what each is a case of is said by its test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archcalc
from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.render.folding import folded_spec
from tests.command_line import run
from tests.fuzz.likeness import likeness
from tests.imports.test_torch_export import equal, kinds, multiply_adds, outputs

F = nn.functional


def module(function: Callable[..., Any], **parts: Any) -> nn.Module:
    """Return a module that has parts, and calls a function with itself and its inputs."""

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return function(self, x)

    made = Net()
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def again(network: Network) -> Network:
    """Return the network of the written spec, and state that it is equal."""
    read = archcalc.loads(folded_spec(network))
    assert likeness(read) == likeness(network)
    return read


def built(network: Network, made: nn.Module, *inputs: Tensor) -> None:
    """State that the module that is built has the output of the module itself, for one tensor."""
    theirs, ours = outputs(network, made, *inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


SEQUENCES = torch.randn(3, 6, 8, dtype=torch.float64)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_last_states_are_those_of_the_layer(kind, options):
    """They were zeros in the module that is built, and a layer and a group had one name."""
    made = module(
        lambda self, x: (lambda states: states[0] if isinstance(states, tuple) else states)(self.r(x)[1])[-1],
        r=kind(8, 5, batch_first=True, **options),
    )
    network = archcalc.trace(made, SEQUENCES[:1].float())
    built(network, made, SEQUENCES)
    assert again(network).analyze().totals.params == sum(one.numel() for one in made.parameters())
    if not options:
        assert "generic" not in kinds(network)


def test_the_cells_of_an_lstm():
    made = module(lambda self, x: self.r(x)[1][1][-1], r=nn.LSTM(8, 5, batch_first=True))
    network = archcalc.trace(made, SEQUENCES[:1].float())
    built(network, made, SEQUENCES)
    assert [layer.name for layer in network] == ["r.lstm", "r.lstm_state1", "select1"]
    assert network["r.lstm_state1"].ties["weight_hh_l0"] == ("r.lstm", "weight_hh_l0")
    assert network.reference_name("r.lstm.weight_ih_l0") == "r.weight_ih_l0"
    again(network)


def test_a_trained_first_state_is_not_lost():
    """Its five parameters were in no total."""
    made = module(
        lambda self, x: self.r(x, self.first.expand(-1, x.shape[0], -1).contiguous())[0],
        r=nn.GRU(8, 5, batch_first=True),
        first=nn.Parameter(torch.randn(1, 1, 5)),
    )
    network = archcalc.trace(made, SEQUENCES[:1].float())
    assert network.analyze().totals.params == sum(one.numel() for one in made.parameters())
    built(network, made, SEQUENCES)


def test_first_states_of_zeros_are_usual():
    made = module(
        lambda self, x: self.r(x, torch.zeros(1, x.shape[0], 5, dtype=x.dtype))[0], r=nn.GRU(8, 5, batch_first=True)
    )
    network = archcalc.trace(made, SEQUENCES[:1].float())
    assert kinds(network) == ["gru"]


@pytest.mark.parametrize("first", [True, False])
def test_masks_of_attention_are_not_ignored(first):
    """The mask was left out; one that is computed was taken for the key."""

    def layer() -> nn.Module:
        return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=first)

    causal = module(
        lambda self, x: self.e(x, src_mask=nn.Transformer.generate_square_subsequent_mask(6, dtype=x.dtype)), e=layer()
    )
    equal(causal, 6, 8)
    equal(module(lambda self, x: self.e(x, src_key_padding_mask=x[..., 0] > 0.5), e=layer()), 6, 8)


def test_attention_among_samples_is_counted():
    """A sequence without a batch: it was a layer without work."""
    made = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    network = archcalc.trace(made, torch.zeros(1, 8))
    assert network.analyze().totals.macs == multiply_adds(made, torch.zeros(1, 8))
    built(network, made, torch.randn(3, 8, dtype=torch.float64))


def test_products_of_samples_are_those_of_a_batch_of_one():
    """They were 7,919 times as many."""
    network = archcalc.trace(module(lambda self, x: x @ x.t()), torch.zeros(1, 8))
    assert network.analyze().totals.macs == 8
    assert network["matmul1"].output_shape == (1,)
    built(network, module(lambda self, x: x @ x.t()), torch.randn(3, 8, dtype=torch.float64))


def test_the_size_of_the_batch_is_no_number_of_the_network():
    made = module(lambda self, x: x * x.shape[0] + 1)
    network = archcalc.trace(made, torch.zeros(1, 8))
    assert kinds(network) == ["generic", "offset"]
    built(network, made, torch.randn(3, 8, dtype=torch.float64))


@pytest.mark.parametrize(
    "equation",
    ["bij,bkj->bik", "bij,bij->bi", "bij,bij->bij", "bi,bi->b", "...i,...j->...ij", "bij,bik,bil->bjkl", "bij,bk->bi"],
)
def test_einsum(equation):
    """Products without a sum are not multiply-adds; dots, and more than two tensors, were not counted."""
    first = equation.partition(",")[0]
    sizes = (6, 8) if first in ("bij", "...i") else (8,)
    made = module(lambda self, x: torch.einsum(equation, *taken(equation, x)))

    def taken(equation: str, x: Tensor) -> list[Tensor]:
        terms = equation.partition("->")[0].split(",")
        return [x if len(term) == len(first) else x[:, 0] for term in terms]

    network = archcalc.trace(made, torch.zeros(1, *sizes))
    assert network.analyze().totals.macs == multiply_adds(made, torch.zeros(1, *sizes))
    built(network, made, torch.randn(3, *sizes, dtype=torch.float64))


def test_places_of_the_largest_are_not_the_largest():
    """The second output of a pooling was its first."""
    made = module(
        lambda self, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    )
    network = archcalc.trace(made, torch.zeros(1, 2, 4, 4))
    built(network, made, torch.randn(3, 2, 4, 4, dtype=torch.float64))


def test_normalization_by_the_batch_is_generic():
    """It was normalized by running statistics, which it does not have."""
    made = nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False))
    network = archcalc.trace(made, torch.zeros(1, 4, 5, 5))
    assert kinds(network) == ["generic"]
    assert network.analyze().totals.params == 8
    built(network, made, torch.randn(3, 4, 5, 5, dtype=torch.float64))


@pytest.mark.parametrize("layer", [nn.SiLU, nn.ReLU, nn.Hardswish, nn.ELU])
def test_a_module_that_writes_to_its_input(layer):
    """PyTorch refuses to write to samples that are one in memory."""
    equal(nn.Sequential(layer(inplace=True), nn.Conv2d(3, 4, 3)), 3, 6, 6)


def test_an_input_that_is_an_output():
    assert kinds(equal(nn.Identity(), 4)) == ["identity"]
    made = module(lambda self, x: {"a": self.a(x), "x": x, "none": None}, a=nn.Linear(8, 3))
    network = archcalc.trace(made, torch.zeros(1, 8))
    assert network.outputs == ("a", "identity1")
    again(network)


class Holder(nn.Linear):
    """A layer with a layer inside."""

    def __init__(self) -> None:
        super().__init__(8, 8)
        self.inner = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(super().forward(x))


def test_a_layer_and_a_group_of_one_name():
    network = equal(module(lambda self, x: self.a(x), a=Holder()), 8)
    assert [layer.name for layer in network] == ["a.linear", "a.inner"]
    assert network.renames == {"a.linear": "a"}
    again(network)


def test_names_that_a_spec_cannot_have():
    made = nn.Sequential()
    for name in ("input", "repeat", "a\nb", "a b", "größe", "{x}", "#", "true", "1e3", "conv"):
        made.add_module(name, nn.Sequential(nn.Linear(8, 8), nn.ReLU()))
    network = equal(made, 8)
    assert network.inputs == {"input_input": (8,)}
    assert "a_b.0" in {layer.name for layer in network}
    again(network)


def test_a_layer_that_is_run_again_has_its_own_weights():
    """A cell that is called two times has ties, and the names of its tensors are the module's."""
    made = module(lambda self, x: self.r(x[:, 0], self.r(x[:, 1])), r=nn.GRUCell(8, 5))
    network = archcalc.trace(made, SEQUENCES[:1].float())
    assert network.analyze().totals.params == sum(one.numel() for one in made.parameters())
    built(network, made, SEQUENCES)
    again(network)


@pytest.mark.parametrize(
    "layer",
    [nn.ReLU6(), nn.Hardtanh(-2, 1), nn.LocalResponseNorm(3), nn.LPPool2d(2, 2), nn.ConstantPad2d(1, 0.0)],
)
def test_whole_numbers_are_read_again_as_they_are(layer):
    again(archcalc.trace(layer, torch.zeros(1, 4, 8, 8)))


def test_indices_that_are_computed():
    made = module(lambda self, x: self.e((x[:, 1:] + 1) % 5) + self.e(x[:, :-1]), e=nn.Embedding(9, 4))
    tokens = torch.randint(0, 5, (3, 7))
    network = archcalc.trace(made, tokens[:1])
    built(network, made, tokens)
    again(network)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda self, x: exit(3), "SystemExit 3"),
        (lambda self, x: {}["key"], "KeyError 'key'"),
        (lambda self, x: 1 / 0, "division by zero"),
        (lambda self, x: self.missing(x), "has no attribute 'missing'"),
    ],
)
def test_a_forward_that_fails_is_told(function, reason):
    with pytest.raises(UserError, match=f"PyTorch cannot export Net: .*{reason}"):
        archcalc.trace(module(function), torch.zeros(1, 3))


def test_a_report_without_the_memory_that_is_not_modelled(tmp_path, monkeypatch):
    """It was refused as a whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [6, 8]\nlayers:\n- {lstm: 5}\n- {generic: [6, 5], operation: cumsum, other: 30}\n"
    )
    found = run("report", "net.yaml", "-o", "net.html")
    assert found.code in (0, None), found.err
    assert '"unmodelled": ["lstm", "generic"]' in (tmp_path / "net.html").read_text().replace('":[', '": [').replace(
        '","', '", "'
    )


@pytest.mark.parametrize(
    "function",
    [
        lambda self, x: torch.tensordot(x, self.weight, dims=([2], [0])),
        lambda self, x: torch.inner(x, self.weight.t()),
        lambda self, x: torch.matrix_power(x @ x.transpose(1, 2), 3),
        lambda self, x: self.cell(x[:, 0])[0],
    ],
)
def test_what_pytorch_makes_of_other_calls_is_counted(function):
    """Each was a layer without work."""
    made = module(function, weight=nn.Parameter(torch.randn(8, 5)), cell=nn.LSTMCell(8, 5))
    network = archcalc.trace(made, SEQUENCES[:1].float())
    assert network.analyze().totals.macs == multiply_adds(made, SEQUENCES[:1].float()) > 0


@pytest.mark.parametrize(
    "function",
    [lambda self, x: torch.div(x, 2, rounding_mode="floor"), lambda self, x: F.pad(x, (1, 1), value=-torch.inf)],
)
def test_what_no_operator_says_is_generic(function):
    """The rounding was lost, and a spec with -inf could not be written."""
    made = module(function)
    network = archcalc.trace(made, SEQUENCES[:1].float())
    assert kinds(network) == ["generic"]
    built(network, made, SEQUENCES)
    again(network)
