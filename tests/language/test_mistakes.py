"""Every mistake in a spec is said with its place, what is wrong, and the nearest valid word."""

from __future__ import annotations

import pytest

import archcalc
from archcalc import SpecError
from tests.language.mistakes import mistakes

HEAD = "name: t\ninput: [3, 32, 32]\nlayers:\n"

STEPS = {
    # what the steps are: (place of the first mistake, part of its message)
    "- {cnv: 64, kernel: 3}": ("4:4", "unknown operator or block 'cnv'\nhelp: did you mean 'conv'?"),
    "- {conv: 64, kernal: 3}": ("4:14", "conv has no argument 'kernal'\nhelp: did you mean 'kernel'?"),
    "- {conv: 64}": ("4:3", "conv needs kernel"),
    "- {conv: 64, kernel: 2.5}": ("4:22", "kernel must be an integer above 0"),
    "- {conv: 64, kernel: 3, padding: -1}": ("4:34", "padding must be an integer not below 0"),
    "- {conv: 64, kernel: 3, bias: 1}": ("4:31", "bias must be true or false, got 1"),
    "- {conv: 64, kernel: [3, 3, 3]}": ("4:22", "kernel has 3 values, but the input has 2 spatial dimensions"),
    "- {pad: 1, mode: mirror}": ("4:18", "unknown name 'mirror'"),
    "- {conv: widht * 2, kernel: 3}": ("4:10", "unknown name 'widht'"),
    "- {linear: 9, name: head, share: wte}": (
        "4:27",
        "to use only the weight of wte, write weight: wte in place of share",
    ),
    "- {conv: 64, max_pool: 3}": ("4:14", "expected one operator, block or group in a step, got 'conv' and 'max_pool'"),
    "- {conv: 64, kernel: 3, groups: 2}": ("4:3", "groups 2 do not divide the 3 input channels"),
    "- add: [[{conv: 8, kernel: 1}], [{conv: 8, kernel: 3}]]": ("4:3", "got 8×32×32 and 8×30×30, from conv1 (line 4)"),
    "- {conv: 8, kernel: 40}": ("4:3", "the kernel spans 40 but the padded input only 32"),
    "- {relu, from: later}\n- {relu, name: later}": (
        "4:16",
        "the step 'later' comes after this one, or",
    ),
    "- {relu, name: stem}\n- {relu, from: sten}": (
        "5:16",
        "no earlier step has this name\nhelp: did you mean 'stem'?",
    ),
    "- {relu, name: a}\n- {relu, name: a}": ("5:16", "duplicate name 'a': the step in line 4 has it"),
    "- {conv: 8 // 0, kernel: 3}": ("4:10", "division by zero in '8 // 0'"),
    "- {conv: max(3, 4), kernel: 3}": ("4:13", "quote the expression"),
    "- {conv: 8, kernel: 3, kernel: 5}": ("4:24", "duplicate key 'kernel': it is first set in line 4"),
    "- {relu, when: 3}": ("4:16", "when must be true or false, got 3"),
    "- {relu, repeat: -1}": ("4:18", "repeat must be an integer of at least 0, got -1"),
    "- {relu, name: a.b}": ("4:16", "a name cannot have a dot"),
    "- {for: {a: [1, 2], b: [1]}, conv: a, kernel: b}": ("4:3", "a has 2, b has 1"),
    "- {use: 3}": ("4:9", "use takes the name of a block or operator"),
    "- {conv: 3, kernel: 3, padding: 2, padding_mode: circular, stride: 9}\n"
    "- {conv: 3, kernel: 3, padding: 5, padding_mode: circular}": ("5:3", "circular cannot add more positions"),
    "- {relu: 3}": ("4:4", "relu takes no arguments\nhelp: write - relu"),
    "- name: lonely": ("4:3", "a step needs an operator, a block or a group"),
    "- [relu]": ("4:3", "expected an operator, a block or a group, got a list"),
    "- {add: []}": ("4:3", "add has no branches"),
    "- add": ("4:3", "add needs at least 2 inputs, got 1"),
    "- {max_pool: 3, padding: 2}": ("4:3", "padding 2 is more than half the kernel 3"),
    "- {share: nothing}": ("4:11", "unknown step 'nothing'"),
    "- {linear: 10, channels: 3}": ("4:16", "linear has no argument 'channels'"),
    "- {conv: input, kernel: 3}": ("4:10", "expected a number, got a shape"),
    "- {reshape: [input, [input]]}": ("4:13", "expected a number, got a shape"),
    "- {conv: 9**9**9, kernel: 3}": ("4:10", "this power is too large"),
    "- {relu, repeat: 10**12}": ("4:18", "limit of steps"),
    "- !!python/object:os.system [relu]": ("4:3", "YAML tags such as"),
    "- {dropout: .nan}": ("4:13", "invalid expression"),
    "- {conv: 8, kernel: 3": ("4:3", "invalid YAML: this { is never closed"),
    "\t- relu": ("4:1", "indent by spaces"),
    "- {capsule: 256, layers: 2}": ("4:4", "unknown operator or block 'capsule'"),
    "- {capsule: 256, dropout: 0.2}": ("4:4", "unknown operator or block 'capsule'"),
    "- {lstm: 256, layers: 2}": ("4:3", "lstm needs a sequence [L, features], got 3×32×32"),
    "- {kernel: 3, conv2: 8}": ("4:15", "unknown operator or block 'conv2'\nhelp: did you mean 'conv'?"),
    "- {fc: 10}": ("4:4", "did you mean 'linear'?"),
    "- {Dense: 10}": ("4:4", "did you mean 'linear'?"),
    "- {deconv: 8, kernel: 2}": ("4:4", "did you mean 'conv_transpose'?"),
    "- {op: concat}": ("4:4", "unknown operator or block 'op'\nhelp: write concat in place of op: concat"),
    "- {type: Conv2d, filters: 8}": ("4:4", "help: write conv in place of type: Conv2d"),
    "- {class_name: Flattener}": ("4:4", "help: write the name of the operator in place of class_name: Flattener"),
    "- swish": ("4:3", "did you mean 'silu'?"),
    "- {transpose: [1, 0, 2]}": ("4:3", "transpose exchanges two axes, got 3; permute takes all of them"),
    "- {split: [3, 5]}": ("4:3", "the sizes 3 + 5 are not the 3 positions of axis 0"),
    "- {conv: 8, kernel_size: 3}": ("4:13", "did you mean 'kernel'?"),
    "- {conv: 8, kernel: 3, trainable: 3}": ("4:35", "trainable must be true or false, got 3"),
    "- {conv: 8, kernel: 3, activation: relu}": ("4:24", "help: write it as a step of its own after this one"),
    "- {conv: 8, kernel: 3, in_channels: 3}": ("4:24", "help: leave it out: the input's shape is known"),
    "- conv: {out_channels: 8, kernel_size: 3}": ("4:9", "help: write arguments beside the operator"),
    "- {conv: 8, kernel: 3, requires_grad: false}": ("4:24", "help: write trainable: false"),
    "- {conv: 8, kernel: 3, padding: 1, name: a}\n- {share: a, trainable: false}": (
        "5:25",
        "the weights are those of 'a', which says whether they are trained",
    ),
    "- {conv: 8, kernel: 3, train: false}": ("4:31", "train: false changes nothing"),
    "- {scale: [{relu: }]}": (
        "4:4",
        "scale is an operator, not a group\nhelp: write {name: scale, layers: [...]}",
    ),
    "- {embedding: [relu]}": ("4:4", "embedding is an operator"),
    "- {batch_norm: 3}": ("4:4", "batch_norm takes no value: its sizes are those of its input"),
    "- {layer_norm: 32}": ("4:4", "layer_norm takes no value"),
    "- {instance_norm: 3}": ("4:4", "instance_norm takes no value"),
    "- {variance: [-1, 2]}": ("4:3", "variance names an axis twice"),
    "- {group_norm: 2}": ("4:3", "groups 2 do not divide the 3 channels"),
    "- {conv: (-8) ** (1/3), kernel: 3}": ("4:10", "not a finite real number"),
    "- {conv: sqrt(2) * 10**99 * 10**99 * 10**99 * 10**99, kernel: 3}": ("4:10", "not a finite real number"),
    "- {conv: c[0], kernel: 3}": ("4:11", 'quote an expression with brackets: "c[0]"'),
    "- {conv: 8, kernel: [3, 3}": ("4:21", "this [ is never closed"),
    "- {conv: 8, kernel: 3\n- relu": ("4:3", "this { is never closed"),
    "- {conv: 4, kernel: 1, name: a}\n- {add, from: [a, input]}": (
        "5:3",
        "from a (line 4) and input\nhelp: a conv",
    ),
}


@pytest.mark.parametrize("steps", STEPS)
def test_mistakes_in_steps(steps):
    place, message = STEPS[steps]
    found = mistakes(HEAD + "".join(f"{line}\n" for line in steps.split("\n")))
    assert str(found[0].place) == f"spec.yaml:{place}"
    assert message in found[0].message


def test_a_join_after_odd_sizes_names_who_gives_what_and_a_way_out():
    """Five halvings: 416 and 400 would have to be multiples of 32."""
    steps = "".join(f"  - {{conv: 4, kernel: 3, stride: 2, padding: 1, name: p{at}}}\n" for at in range(5))
    text = f"input: [3, 416, 400]\nlayers:\n{steps}  - {{upsample: 2, name: up}}\n  - {{concat, from: [up, p3]}}\n"
    assert mistakes(text)[0].message == (
        "concat along axis 0 needs inputs that agree in every other axis, got 4×26×26 and 4×26×25, "
        "from up (line 8) and p3 (line 6)\nhelp: an odd size that is halved is not restored by doubling: "
        "use input sides that are multiples of 32, or give upsample a size"
    )


@pytest.mark.parametrize(
    "step", ["{sub, from: [a, a, input]}", "{grid_sample, from: [a, input]}", "{matmul, from: [input, a, input]}"]
)
def test_only_maps_that_are_merged_are_told_how_to_be_alike(step):
    """A kernel of 1 mends neither a third input nor a grid that is none."""
    [mistake] = mistakes(HEAD + f"  - {{conv: 4, kernel: 1, name: a}}\n  - {step}\n")
    assert "a (line 4)" in mistake.message
    assert "help:" not in mistake.message


def test_names_of_steps_in_place_of_branches_are_one_mistake():
    text = HEAD + "  - {conv: 3, kernel: 1, name: a}\n  - {add: [a, input], name: b}\n  - {relu, from: b}\n"
    [mistake] = mistakes(text)
    assert str(mistake.place) == "spec.yaml:5:6"
    assert mistake.message == "add takes branches here, got names of steps\nhelp: write {add, from: [a, input]}"


def test_a_branch_that_cannot_be_read_is_one_mistake():
    [mistake] = mistakes(HEAD + "  - {concat: [rleu]}\n")
    assert mistake.message.startswith("unknown operator or block 'rleu'")


def test_the_line_follows_the_message_with_a_caret_and_then_the_fix():
    text = str(SpecError(mistakes(HEAD + "  - {conv: 64, kernal: 3}\n")))
    assert text == (
        "spec.yaml:4:16: error: conv has no argument 'kernal'\n"
        "    4 |   - {conv: 64, kernal: 3}\n"
        "      |                ^~~~~~\n"
        "help: did you mean 'kernel'?"
    )


def test_all_mistakes_are_found_at_once():
    found = mistakes(HEAD + "  - {conv: 8, kernel: 40}\n  - {max_pol: 2}\n  - {linear: x}\n  - {relu, name: a.b}\n")
    assert [mistake.place.line for mistake in found] == [3, 4, 5, 6]


def test_a_mistake_in_a_block_is_said_once_however_often_it_is_used():
    text = "blocks:\n  b: {layers: [{conv: 8, kernel: 99}]}\n" + HEAD + "  - {b, repeat: 30}\n"
    assert len(mistakes(text)) == 1


def test_a_mistake_in_what_is_never_expanded_is_found():
    assert "did you mean 'relu'?" in mistakes(HEAD + "  - {layers: [rellu], when: false}\n  - relu\n")[0].message


def test_blocks_cannot_be_made_of_themselves():
    text = "blocks:\n  a: {layers: [b]}\n  b: {layers: [a]}\n" + HEAD + "  - a\n"
    assert "the block a contains itself: a → b → a" in mistakes(text)[0].message


def test_a_block_whose_form_is_wrong_is_one_mistake_where_it_is_used_too():
    text = "blocks:\n  b: [relu]\n" + HEAD + "  - b\n  - {b, repeat: 3}\n"
    assert [mistake.message for mistake in mistakes(text)] == [
        "expected a mapping with layers, and params and inputs if needed"
    ]


def test_parameters_of_blocks():
    text = "blocks:\n  b: {params: {width: required}, layers: [{conv: width, kernel: 3}]}\n" + HEAD
    assert "the block b needs width" in mistakes(text + "  - b\n")[0].message
    assert "no argument 'widht'\nhelp: did you mean 'width'?" in mistakes(text + "  - {b: 3, widht: 2}\n")[0].message
    assert "width is set twice" in mistakes(text + "  - {b: 3, width: 2}\n")[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- relu\n", "expected a mapping with name, input and layers"),
        ("# nothing\n", "has only comments"),
        ("name: t\ninput: [3, 8, 8]\nlayerz: [relu]\n", "a spec needs layers"),
        ("layers: [relu]\n", "a spec needs the shape of its input\nhelp: input: [channels, height, width]"),
        ("input: [3, 0, 8]\nlayers: [relu]\n", "a size must be an integer above 0, got 0"),
        ("input: [3, H, 8]\nlayers: [relu]\n", "H needs a value\nhelp: set it with --set H=224"),
        ("input: [3, 8, 8]\nlayers: [relu]\nreplace: {a: relu}\n", "replace needs extends"),
        (
            "extends: alexnet\nreplace: {fc9: {linear: 10}}\n",
            "step 'fc9' in replace\nhelp: did you mean 'fc8'?",
        ),
        ("extends: ../../etc/passwd.yaml\n", "only specs in the same folder or below"),
        ("extends: alexnett\n", "there is no network 'alexnett'\nhelp: did you mean 'alexnet"),
        ("input: [3, 8, 8]\nparams: {input: 3}\nlayers: [relu]\n", "a parameter cannot be called input"),
        ("input: [3, 8, 8]\nparams: {w: required}\nlayers: [relu]\n", "needs a value for w"),
        ("input: [3, 8, 8]\nvariants: {v: {x: 3}}\nlayers: [relu]\n", "the variant v has no key 'x'"),
        ("a: 1\n---\nb: 2\n", "a second starts here"),
        ("a: *b\n", "unknown anchor &b"),
        ("a: &a [*a]\n", "inside the value that it names"),
        ("a: " + "[" * 10_000, "nested too deep"),
    ],
)
def test_mistakes_of_the_whole(text, message):
    assert any(message in mistake.message for mistake in mistakes(text))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[{linear: 8}, {embedding: 4, entries: 9}]", "embedding1 takes indices, an input of the network, got"),
        ("[{embedding: 8, entries: 9, name: e}, {mean: [1]}, {share: e}]", "got the output of mean1"),
        ("[{side: [{linear: 3}]}, {embedding: 4, entries: 9}]", "got input, the indices for embedding1"),
        ("[{range: 4}, hardswish]", "hardswish1 takes numbers, got range1, which gives indices"),
        ("[{range: 4}, {reshape: [2, 2]}, softmax]", "softmax1 takes numbers, got reshape1, which gives indices"),
    ],
)
def test_indices_are_an_input_and_nothing_else(steps, message):
    """PyTorch refuses these too: a table is asked with whole numbers, and a sum is made of floating ones."""
    found = mistakes(f"input: [8]\nlayers: {steps}\n")
    assert message in found[0].message
    assert str(found[0].place).startswith("spec.yaml:2:")


def test_settings():
    text = "input: [3, H, 8]\nparams: {width: 3}\nlayers: [{conv: width, kernel: 3}]\n"
    assert archcalc.loads(text, H=16).layers[0].output_shape == (3, 14, 6)
    assert "did you mean 'width'?" in mistakes(text, widht=3)[0].message


def test_an_alias_bomb_is_refused():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    assert "aliases make this too large" in mistakes("\n".join(lines))[0].message


def test_escapes_in_names_reach_no_terminal():
    message = str(SpecError(mistakes(HEAD + '  - {relu, name: "a\\x1b[31m"}\n')))
    assert "\x1b" not in message
    assert "\\x1b[31m" in message
