"""A network as a spec with blocks and loops: read, it is the same network, and it reads as a person writes."""

from __future__ import annotations

import random
import time

import pytest

import archcalc
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops import registry
from archcalc.render.folding import folded_spec, network_spec
from tests.bundled import spec_at
from tests.fuzz.likeness import likeness
from tests.render.test_spec import HARD, NETWORKS


def same_again(network):
    text = folded_spec(network)
    assert likeness(archcalc.loads(text)) == likeness(network), text
    return text


def steps_of(text):
    """The blocks and layers of a spec's text."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(("blocks:", "layers:", "numbered:")))
    return "\n".join(lines[start:]) + "\n"


def written(spec):
    return steps_of(same_again(archcalc.loads(spec)))


@pytest.mark.parametrize(("path", "variant"), NETWORKS)
def test_every_bundled_network_is_the_same_again(path, variant):
    network = spec_at(path).network(variant)
    text = same_again(network)
    assert archcalc.loads(text).analyze(convention="full").totals == network.analyze(convention="full").totals


@pytest.mark.parametrize(
    ("name", "most"),
    {
        "resnet50": 50,
        "resnet152": 50,
        "vgg16": 32,
        "mobilenet_v2": 52,
        "densenet121": 50,
        "vit_b_16": 40,
        "swin_t": 65,
        "bert_base": 60,
        "gpt2": 45,
        "convnext_tiny": 55,
        "efficientnet_b0": 72,
    }.items(),
)
def test_bundled_networks_are_short(name, most):
    assert len(folded_spec(archcalc.load(name)).splitlines()) <= most


def test_a_residual_network_as_people_write_it():
    assert (
        steps_of(folded_spec(archcalc.load("resnet50")))
        == """\
blocks:
  bottleneck:
    params: {width: required, stride: 1, downsample: input.channels != 4 * width}
    layers:
      - add:
          - - {conv: width, kernel: 1, bias: false}
            - {batch_norm, name: bn1}
            - relu
            - {conv: width, kernel: 3, stride: stride, padding: 1, bias: false}
            - {batch_norm, name: bn2}
            - relu
            - {conv: 4 * width, kernel: 1, bias: false}
            - {batch_norm, name: bn3}
          - - downsample:
                - {conv: 4 * width, kernel: 1, stride: stride, bias: false}
                - batch_norm
              when: downsample
              numbered: true
      - relu
layers:
  - {conv: 64, kernel: 7, stride: 2, padding: 3, bias: false}
  - {batch_norm, name: bn1}
  - relu
  - {max_pool: 3, stride: 2, padding: 1, name: maxpool}
  - {bottleneck: 64, name: layer1, repeat: 3}
  - {bottleneck: 128, stride: 2 if i == 0 else 1, name: layer2, repeat: 4}
  - {bottleneck: 256, stride: 2 if i == 0 else 1, name: layer3, repeat: 6}
  - {bottleneck: 512, stride: 2 if i == 0 else 1, name: layer4, repeat: 3}
  - {global_avg_pool, name: avgpool}
  - flatten
  - {linear: 1000, name: fc}
"""
    )


def test_mobile_blocks_have_their_expansion():
    text = steps_of(folded_spec(archcalc.load("mobilenet_v2")))
    assert "hidden: expansion * input.channels" in text
    assert "residual: input.channels == width" in text
    assert "{conv_bn_relu: hidden, kernel: 1, when: expansion != 1}" in text
    assert "padding: kernel // 2" in text
    assert "- {inverted_residual: 64, stride: 2 if i == 0 else 1, repeat: 4}" in text


def test_stages_that_differ_in_depth_are_one_block():
    text = steps_of(folded_spec(archcalc.load("shufflenet_v2_x1_0")))
    assert "      - {unit, repeat: depth}\n" in text
    assert "  - {stage: 58, depth: 3, name: stage2}\n" in text or "stage: width, depth: depth" in text


def test_steps_of_a_u_net_take_two_inputs():
    text = steps_of(folded_spec(archcalc.load("unet")))
    assert "    inputs: [input, other]\n" in text
    assert 'from: ["up{4 - i}", "down{3 - i}"], name: "up{3 - i}"}' in text


def test_loops_inside_loops():
    assert (
        written(
            "input: [3, 64, 64]\nlayers:\n  - for: {width: [8, 16, 32, 64], depth: [2, 2, 3, 4]}\n    layers:\n"
            "      - {repeat: depth, layers: [{conv: width, kernel: 3, padding: 1}, relu]}\n      - {max_pool: 2}\n"
        )
        == """\
layers:
  - for: {width: [8, 16, 32, 64], depth: [2, 2, 3, 4]}
    layers:
      - repeat: depth
        layers:
          - {conv: width, kernel: 3, padding: 1}
          - relu
      - {max_pool: 2}
"""
    )


# Each network has something that a fold must not lose.
KEPT = {
    "names with numbers that grow by two": (
        "input: [4]\nlayers:\n" + "".join(f"  - {{relu, name: s{2 * n + 3}}}\n" for n in range(5)),
        '  - {relu, name: "s{2 * i + 3}", repeat: 5}\n',
    ),
    "names with numbers that do not": (
        "input: [4]\nlayers: [{relu, name: s1}, {relu, name: s2}, {relu, name: s4}, {relu, name: s8}]\n",
        "  - {relu, name: s8}\n",
    ),
    "names with zeros before their numbers": (
        "input: [4]\nlayers: [{relu, name: s08}, {relu, name: s09}, {relu, name: s10}, {relu, name: s11}]\n",
        "  - {relu, name: s08}\n",
    ),
    "numbered turns, and a step after them": (
        "input: [4]\nlayers: [{g: [{linear: 4, repeat: 4}, {tanh, name: 4}]}]\n",
        "      - {linear: 4, repeat: 4}\n",
    ),
    "a loop that leaves out a number": (
        "input: [4]\nlayers: [{g: [{linear: 4, name: 1}, {linear: 4, name: 2}, {linear: 4, name: 3}]}]\n",
        '      - {linear: 4, name: "{i + 1}", repeat: 3}\n',
    ),
    "true is not 1": (
        "input: [4]\nlayers: [{linear: 4, bias: false}, {linear: 4, bias: false}, {linear: 4}, {linear: 4}]\n",
        "bias: false",
    ),
    "a loop whose name has braces": (
        "input: [4]\nlayers: [{name: \"a{'\\\\x7b'}b{'\\\\x7d'}\", layers: [{linear: 4, repeat: 4}]}]\n",
        "      - {linear: 4, repeat: 4}\n",
    ),
    "a list and a number": (
        "input: [1, 9, 9]\nlayers: [{max_pool: 1, stride: 1}, {max_pool: [1, 2], stride: 1}, {max_pool: 2, stride: 1},"
        " {max_pool: 2, stride: 1}, {max_pool: 1, stride: 1}]\n",
        "[1, 2]",
    ),
    "the same steps with other inputs": (
        "input: [4]\nlayers: [{relu, name: a0, from: input}, {relu, name: a1, from: input}, {relu, name: a2},"
        " {add, from: [a0, a2]}]\n",
        "- - {relu, name: a1}\n        - {relu, name: a2}",
    ),
    "an optional step that passes something else": (
        "input: [4]\nlayers:\n" + "".join(
            f"  - g{n}: [{{linear: 4}}, tanh, relu, sigmoid{', {gelu, from: tanh1}' if n % 2 else ''}, silu]\n"
            for n in range(4)
        ),
        "{gelu, from: tanh1}",
    ),
    "an optional step whose name is taken": (
        "input: [4]\nlayers:\n" + "".join(
            f"  - g{n}: [{{linear: 4}}, {{h: [tanh{', {silu, name: z}' if n % 2 else ''}, relu, "
            f"{{add, from: [relu1, linear1]}}]}}, sigmoid]\n" for n in range(4)
        ),
        "when: z",
    ),
    "shared weights in blocks": (
        "input: [4]\nlayers:\n" + "".join(
            f"  - g{n}: [{{linear: 4, name: l}}, tanh, {{share: l, name: m}}, relu]\n" for n in range(4)
        ),
        "{share: l, name: m}",
    ),
    "shared weights of an earlier group": (
        "input: [4]\nlayers: [{linear: 4, name: l}, {g1: [tanh, {share: l, name: m}, relu]},"
        " {g2: [tanh, {share: l, name: m}, relu]}]\n",
        "{share: l, name: m}",
    ),
    "tied weights in blocks": (
        "input: [4]\nlayers:\n" + "".join(
            f"  - g{n}: [{{linear: 4, name: l}}, tanh, {{linear: 4, weight: l, name: m}}, relu]\n" for n in range(4)
        ),
        "weight: l",
    ),
    "blocks of several inputs": (
        "input: [4]\nlayers: [{linear: 4, name: a}, {linear: 4, name: b}, "
        + "".join(
            f"{{g{n}: [{{linear: 4, from: {f'.g{n - 1}' if n else 'a'}}}, tanh, {{add, from: [tanh1, .b]}}]}}, "
            for n in range(4)
        ) + "relu]\n",
        "inputs: [input, other]",
    ),
    "a group called like a block": (
        "input: [4]\nlayers: [{unit: [relu]}, {unit1: [{linear: 4}, tanh, gelu]}, {unit2: [{linear: 4}, tanh, gelu]},"
        " {unit3: [{linear: 4}, tanh, gelu]}]\n",
        "unit",
    ),
    "training only": (
        "input: [4]\nlayers: [{linear: 4}, {dropout, train: true}, {linear: 4}, dropout, {linear: 4}, dropout]\n",
        "{dropout, train: true}",
    ),
    "a side output that is there only in training": (
        "input: [4]\nlayers: [relu, {side: [{linear: 2}, softmax], name: aux, train: true}, relu]\n",
        "    train: true\n",
    ),
    "numbered turns whose first takes a number outside": (
        "input: [4]\nlayers: [{s: [{0: [{linear: 4}, tanh]}, {b: ["
        + ", ".join(
            f"{{{n}: [{{linear: 4, from: {f'.s.b.{n - 1}' if n else '.s.0'}}}, tanh, {{add, from: [tanh1, .input]}}]}}"
            for n in range(2)
        ) + "]}]}]\n",
        "      - b:\n          - repeat: 2\n",
    ),
    "a group in a block that is called like another group": (
        "input: [4]\nlayers: [{g: [{a: [relu]}, sigmoid]}, {k: [{a: [{linear: 4}, tanh]}, gelu, silu, sigmoid]},"
        " {c: [{g: [{a: [{linear: 4}, tanh]}, gelu, silu, sigmoid]}, {d: [{add, from: [.c.g, .g.a]}]}]}]\n",
        "{add, from: [g, g.a.relu1]}",
    ),
    "shapes of tensors by names": (
        "input: [4]\nlayers:\n" + "".join(
            f"  - g{n}: [{{linear: {width}}}, {{computed: {width}, tensors: {{a: [3, {width}]}}}}, {{linear: 2}}]\n"
            for n, width in enumerate((8, 16, 32))
        ),
        "{computed: width, tensors: {a: [3, width]}}",
    ),
    "a network of numbered steps": (
        "input: [4]\nnumbered: true\nlayers: [{linear: 4}, relu, {linear: 4}, relu, {linear: 2}]\n",
        "numbered: true\nlayers:\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", KEPT)
def test_what_a_fold_keeps(what):
    spec, part = KEPT[what]
    assert part in written(spec)


@pytest.mark.parametrize("what", HARD)
def test_what_is_hard_to_say(what):
    same_again(archcalc.loads(HARD[what]))


@pytest.mark.parametrize("kind", registry())
def test_every_operator_at_its_examples(kind):
    for one in registry()[kind].examples:
        op = registry()[kind](one.inputs, **one.arguments)
        names = tuple(f"x{number}" for number in range(len(op.inputs)))
        layers = tuple(Layer(f"it{number}", op, names) for number in range(4))
        same_again(Network("one", dict(zip(names, op.inputs, strict=True)), layers, ("it3",)))


def test_the_block_is_called_as_its_groups_were():
    text = "input: [4]\nlayers:\n" + "".join(f"  - part{n}: [{{linear: 4}}, tanh, gelu]\n" for n in range(4))
    network = archcalc.loads(text)
    assert "  linear_tanh_gelu:\n" in folded_spec(network)
    named = Network(
        "n", network.inputs, network.layers, network.outputs, groups={f"part{n}": "FeedForward" for n in range(4)}
    )
    assert "  feed_forward:\n" in folded_spec(named)


def test_very_deep_groups_are_written_layer_by_layer():
    relu = registry()["relu"]([(4,)])
    names = [".".join([*(f"g{depth}" for depth in range(38)), f"x{n}"]) for n in range(3)]
    layers = tuple(Layer(name, relu, (before,)) for name, before in zip(names, ["input", *names], strict=False))
    network = Network("deep", {"input": (4,)}, layers, (names[-1],))
    assert folded_spec(network) == network_spec(network)


# -- names of all kinds


def renamed(network, rename):
    """The network with other names for its layers; None if two get the same, or one that a group has."""
    names = {layer.name: rename(layer.name) for layer in network.layers}
    groups = {name[:end] for name in names.values() for end, character in enumerate(name) if character == "."}
    if len({*names.values(), *groups, *network.inputs}) < len(names) + len(groups) + len(network.inputs):
        return None
    layers = []
    for layer in network.layers:
        again = Layer(names[layer.name], layer.op, tuple(names.get(source, source) for source in layer.inputs))
        again.shares, again.train = names.get(layer.shares), layer.train
        again.ties = {tensor: WeightRef(names[ref.layer], ref.tensor) for tensor, ref in layer.ties.items()}
        layers.append(again)
    outputs = tuple(names.get(output, output) for output in network.outputs)
    return Network(network.name, network.inputs, tuple(layers), outputs, input_axes=network.input_axes)


WORDS = (
    "conv1",
    "relu2",
    "add",
    "a{b}",
    "layer",
    "0",
    "7",
    "null",
    "x y",
    "block",
    "width",
    "i",
    "bottleneck",
    "input",
)


def renamings(network, seed):
    """Ways to rename layers: without groups, with fewer, with odd words, and with some layers in other places."""
    number = {layer.name: at for at, layer in enumerate(network.layers)}
    chance = random.Random(seed)
    word = {part: chance.choice(WORDS) for name in sorted(number) for part in name.split(".") if chance.random() < 0.3}
    moved = {name for name in sorted(number) if chance.random() < 0.03}
    yield lambda name: name.replace(".", "_")
    yield lambda name: f"node_{number[name]}"
    yield lambda name: str(number[name])
    yield lambda name: f"{network[name].op.kind}{number[name] + 1}"
    yield lambda name: name.replace(".", "_", max(name.count(".") - 1, 0))
    yield lambda name: ".".join(word.get(part, part) for part in name.split("."))
    yield lambda name: "odd." + name.replace(".", "_") if name in moved else name
    yield lambda name: "model." + name


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v2", "densenet121", "swin_t", "gpt2", "shufflenet_v2_x1_0", "lenet5"]
)
def test_other_names(name):
    network = archcalc.load(name)
    tried = 0
    for rename in renamings(network, name):
        again = renamed(network, rename)
        if again is not None:
            same_again(again)
            tried += 1
    assert tried > 3


# -- many layers


def chain(kinds, names):
    layers, before = [], "input"
    for kind, name in zip(kinds, names, strict=True):
        layers.append(Layer(name, registry()[kind]([(8,)], **({"features": 8} if kind == "linear" else {})), (before,)))
        before = name
    return Network("chain", {"input": (8,)}, tuple(layers), (before,))


@pytest.mark.parametrize("grouped", [False, True])
def test_thousands_of_layers_without_order(grouped):
    """The time grows with the layers, not with their square."""
    chance = random.Random(1)
    kinds = [chance.choice(["relu", "tanh", "linear", "gelu", "silu"]) for _ in range(4000)]
    names = [f"g{at // 5}.l{at % 5}" if grouped else f"l{at}" for at in range(len(kinds))]
    seconds = {}
    for count in (1000, 4000):
        network = chain(kinds[:count], names[:count])
        start = time.process_time()
        text = folded_spec(network)
        seconds[count] = time.process_time() - start
    assert likeness(archcalc.loads(text)) == likeness(network)
    assert seconds[4000] < 8 * seconds[1000] + 1


def test_thousands_of_layers_in_order():
    network = chain(["linear", "relu"] * 1500, [f"blocks.{at // 2}.{('fc', 'act')[at % 2]}" for at in range(3000)])
    assert len(same_again(network).splitlines()) < 20
