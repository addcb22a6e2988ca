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
    assert network.about.notes.startswith("Samples of a batch are multiplied with each other in matmul1: ")
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


def test_a_report_says_whose_memory_is_estimated(tmp_path, monkeypatch):
    """It was refused as a whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [6, 8]\nlayers:\n- {lstm: 5}\n- {generic: [6, 5], operation: cumsum, other: 30}\n"
    )
    found = run("report", "net.yaml", "-o", "net.html")
    assert found.code in (0, None), found.err
    assert "Estimated: memory of generic is not modelled" in (tmp_path / "net.html").read_text()


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
    [lambda self, x: torch.div(x, 2, rounding_mode="floor"), lambda self, x: F.pad(x, (1, 1), value=torch.inf)],
)
def test_what_no_operator_says_is_generic(function):
    """The rounding was lost, and a spec with inf could not be written."""
    made = module(function)
    network = archcalc.trace(made, SEQUENCES[:1].float())
    assert kinds(network) == ["generic"]
    built(network, made, SEQUENCES)
    again(network)


IMAGES = torch.randn(2, 6, 8, 8, dtype=torch.float64)


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (nn.Conv2d(3, 4, 3, padding=1), (2, 3, 8, 8)),
        (nn.BatchNorm2d(3), (2, 3, 8, 8)),
        (nn.MaxPool2d(2), (2, 3, 8, 8)),
        (nn.InstanceNorm2d(3), (2, 3, 8, 8)),
        (nn.BatchNorm1d(64), (6, 64)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_over_rows_of_a_sample_is_its_operator_for_each(part, shape):
    made = module(lambda self, x: self.part(x.reshape(-1, *shape[1:])).reshape(x.shape[0], -1), part=part)
    network = archcalc.trace(made, IMAGES.float())
    assert kinds(network) == ["reshape", "each", "reshape"]
    assert network["part"].op.inputs == (shape,)
    built(again(network), made, IMAGES)


def test_a_recurrent_layer_over_rows_is_one_for_each():
    made = module(lambda self, x: self.r(x.flatten(0, 1))[0].reshape(x.shape), r=nn.GRU(8, 8, batch_first=True))
    network = archcalc.trace(made, torch.randn(2, 3, 5, 8))
    assert network["r"].op.inner.kind == "gru"
    assert (
        network.analyze().totals.macs == 3 * 5 * 2 * 3 * 8 * 8
    )  # each of 3 gates multiplies input and state by 8 × 8 weights
    built(again(network), made, torch.randn(2, 3, 5, 8, dtype=torch.float64))


@pytest.mark.parametrize(
    ("equation", "sizes"), [("bhwc,hkc->bhwk", (6, 5, 8)), ("bhwc,wkc->bhwk", (8, 5, 8)), ("bchw,kc->bkhw", (3, 6))]
)
def test_products_in_the_notation_of_einstein(equation, sizes):
    made = module(lambda self, x: torch.einsum(equation, x, self.table * 2))
    made.table = nn.Parameter(torch.randn(sizes))
    network = archcalc.trace(made, IMAGES.float())
    assert kinds(network) == ["computed", "einsum"]
    built(network, made, IMAGES)


def test_parts_between_given_positions():
    made = module(lambda self, x: [part.relu() for part in x.tensor_split((1, 4), dim=1)])
    network = archcalc.trace(made, IMAGES.float())
    assert [layer.output_shape[0] for layer in network if layer.op.kind == "split"] == [1, 3, 2]
    again(network)


def test_copies_of_a_sample_beside_each_other_get_an_axis():
    made = module(lambda self, x: x.repeat_interleave(3, 0).reshape(x.shape[0], 3, -1))
    network = archcalc.trace(made, IMAGES.float())
    assert "generic" not in kinds(network)
    built(again(network), made, IMAGES)


@pytest.mark.parametrize("groups", [1, 3])
def test_filters_that_are_computed(groups):
    """The standardized filters of NFNet (Brock et al., 2021), with a gain and a bias."""

    def run(self, x):
        rows = self.weight.flatten(1).unsqueeze(0)
        own = F.batch_norm(rows, None, None, self.gain, training=True, momentum=0.0).reshape_as(self.weight)
        return F.conv2d(x, own, self.bias, 2, 1, groups=groups)

    made = module(run)
    made.weight = nn.Parameter(torch.randn(9, 6 // groups, 3, 3))
    made.gain, made.bias = nn.Parameter(torch.rand(9)), nn.Parameter(torch.randn(9))
    network = archcalc.trace(made, IMAGES.float())
    assert kinds(network) == ["computed", "dynamic_conv"]
    assert network.analyze().totals.macs == 9 * 4 * 4 * (6 // groups) * 9
    built(network, made, IMAGES)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2), ["pad", "max_pool"]),
        (lambda self, x: F.pad(x.flatten(2), (0, 1, 2, 0), value=-torch.inf).amax(-1), ["flatten", "pad_axes", "max"]),
        (lambda self, x: 1 - x, ["neg", "offset"]),
        (lambda self, x: torch.rsub(x, x.exp()), ["exp", "sub"]),
    ],
)
def test_padding_that_no_maximum_takes_and_what_is_subtracted_from(function, expected):
    made = module(function)
    network = archcalc.trace(made, IMAGES.float())
    assert kinds(network) == expected
    built(again(network), made, IMAGES)


def test_a_part_that_is_written_to_is_laid_between_the_others():
    """It was generic, as in torchvision's MViT: positions are added to all tokens but the first."""

    def run(self, x):
        y = 2 * x
        y[:, :, 1:3, :] += 3 * x[:, :, :2]
        y[:, 2:] = x[:, :4]
        return y

    made = module(run)
    network = archcalc.trace(made, IMAGES.float())
    assert "generic" not in kinds(network)
    assert "concat" in kinds(network)
    built(again(network), made, IMAGES)


class Experts(nn.Module):
    """Filters that are mixed for each sample (Yang et al., *CondConv*, 2019), in one convolution of the batch."""

    def __init__(self, groups):
        super().__init__()
        self.route, self.groups = nn.Linear(6, 4), groups
        self.filters = nn.Parameter(torch.randn(4, 9 * (6 // groups) * 9))

    def forward(self, x):
        filters = (self.route(x.mean((2, 3))).sigmoid() @ self.filters).view(-1, 6 // self.groups, 3, 3)
        joined = x.reshape(1, -1, *x.shape[2:])
        return F.conv2d(joined, filters, None, 2, 1, groups=self.groups * len(x)).view(len(x), 9, 4, 4)


@pytest.mark.parametrize("groups", [1, 3])
def test_filters_that_are_mixed_for_each_sample(groups):
    made = Experts(groups)
    network = archcalc.trace(made, IMAGES.float())
    assert "generic" not in kinds(network)
    assert "dynamic_conv" in kinds(network)
    window = 6 // groups * 9
    assert network.analyze().totals.macs == 6 * 4 + 4 * 9 * window + 9 * 4 * 4 * window
    assert network.analyze().totals.params == sum(one.numel() for one in made.parameters())
    built(again(network), made, IMAGES)


class Tokens(nn.Module):
    """A class token that attends to others, and is added to what it gets (CaiT)."""

    def __init__(self):
        super().__init__()
        self.token, self.mix = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(8, 8)

    def forward(self, x):
        token = self.token.expand(len(x), -1, -1)
        every = torch.cat([token, x], 1)
        return token + self.mix(every).mean(1, keepdim=True)


def test_tokens_that_are_used_again_after_they_are_joined():
    made, x = Tokens().eval(), torch.randn(2, 5, 8, dtype=torch.float64)
    network = archcalc.trace(made, x.float())
    assert (network["token"].output_shape, network["token_joined"].output_shape) == ((1, 8), (6, 8))
    assert network.analyze().totals.params == 8 + 72
    again(network)
    built(network, made, x)
