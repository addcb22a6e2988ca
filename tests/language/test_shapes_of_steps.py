"""The shape of an earlier step in an expression: its name is looked up as in `from`."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.language.family import SpecFamily
from archcalc.language.language import Spec
from archcalc.language.source import SpecDocument
from archcalc.symbolic.formulas import formulas
from tests.language.mistakes import mistakes

DOWN = "input: [8, 33, 33]\nlayers:\n  - {conv: 8, kernel: 3, stride: 2, padding: 1, name: down}\n"


def test_an_upsampling_to_the_size_of_a_step():
    text = DOWN + "  - {conv: 16, kernel: 3}\n  - {upsample, size: [down.height, down.width], name: up}\n"
    assert archcalc.loads(text)["up"].output_shape == (16, 17, 17)


def test_names_are_found_from_inside_a_group_and_by_their_paths():
    network = archcalc.loads(
        DOWN
        + """
  - down2:
      - {conv: 4, kernel: 3, name: down}
      - {conv: 2, kernel: 1, repeat: 2, name: turn}
      - {conv: "2 * down.channels + turn.channels + turn[0].channels", kernel: 1, name: inner}
  - {conv: "down.channels + down2.down.height + down2.turn[1].shape[0]", kernel: 1, name: outer}
  - {linear: "sum([down2.size, len(down.shape)])", name: "after_{down.width}"}
"""
    )
    assert network["down2.inner"].output_shape[0] == 2 * 4 + 2 + 2
    assert network["outer"].output_shape[0] == 8 + 15 + 2
    assert network["after_17"].output_shape[-1] == 12 * 15 * 15 + 3


def test_a_block_sees_its_own_steps_and_a_loop_the_turn_before():
    network = archcalc.loads("""
        input: [8, 16, 16]
        blocks:
          decoder:
            inputs: [low, skip]
            params: {channels: skip.channels // 2}
            layers:
              - {conv: channels, kernel: 1, from: low, name: reduce}
              - {upsample, size: [skip.height, skip.width]}
              - {concat, from: [upsample1, skip], name: both}
              - {conv: both.channels - reduce.channels, kernel: 1, name: fuse}
        layers:
          - {conv: 16, kernel: 3, stride: 2, padding: 1, name: down}
          - {decoder, from: [down, input], name: decoder}
          - {conv: "3 if i == 0 else 2 * turn[i - 1].channels", kernel: 1, repeat: 3, name: turn}
    """)
    assert network["decoder.fuse"].output_shape == (8, 16, 16)
    assert [network[f"turn.{turn}"].output_shape[0] for turn in range(3)] == [3, 6, 12]


def test_a_variable_hides_a_step_but_the_name_of_an_operator_does_not():
    text = "input: [3, 4, 4]\nparams: {width: 5}\nlayers: [{conv: 2, kernel: 1, name: relu}, {conv: %s, kernel: 1}]\n"
    assert archcalc.loads(text % "relu.channels")["conv1"].output_shape[0] == 2
    hidden = text.replace("name: relu", "name: width") % "width.channels"
    assert "'width' is not a shape and has no channels" in mistakes(hidden)[0].message


def test_named_inputs_are_steps_too_and_a_quoted_text_may_have_a_dot():
    network = archcalc.loads(
        'inputs: {image: [3, 9, 9], small: [3, 4, 4]}\nparams: {size: ["small.height", "v.one"]}\n'
        'layers: [{upsample, size: [image.height, "image.width"], from: small, name: up}, {add, from: [up, image]},'
        " {relu, when: \"size[1] == 'v.one'\"}]\n"
    )
    assert network["up"].output_shape == (3, 9, 9)
    assert network.outputs == ("relu1",)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("downn.height", "unknown name 'downn'\nhelp: did you mean 'down'?"),
        ("conv.height", "unknown step 'conv': no earlier step has this name"),
        ("group.down.height", "unknown step 'group.down': no earlier step has this name"),
        ("later.height", "the step 'later' comes after this one, or is inside another block or group"),
        ("down.heigth", "a shape has no 'heigth'\nhelp: did you mean 'height'?"),
        ("down.depth", "the shape [8, 17] has no depth"),
        ("down[1.5].height", "'down[1.5]' is not a step: 3/2 is not an integer"),
        ("down", "unknown name 'down'"),
    ],
)
def test_what_is_no_step_is_said(expression, message):
    text = (
        DOWN.replace("[8, 33, 33]", "[8, 33]") + f'  - {{conv: "{expression}", kernel: 1}}\n  - {{relu, name: later}}\n'
    )
    assert message in mistakes(text)[0].message


def test_formulas_have_the_sizes_of_steps():
    """At H = W = 8h, 4h positions: 8·(4h)² of down, 16·(4h)² of conv1 and as many of up, 4 bytes each."""
    text = DOWN + "  - {conv: 16, kernel: 1}\n  - {upsample, size: [down.height, down.width]}\n"
    spec = Spec(SpecDocument(text, "a.yaml"), lambda *_: None)
    found = formulas(SpecFamily(spec, None, {}, None, {"H": "8*h", "W": "8*h"}), ["memory"])
    assert str(found.sympy("memory")) == f"{4 * (8 + 16 + 16) * 16}*h**2"
