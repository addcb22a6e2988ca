"""What keeps a hostile spec harmless: each of these would take hours, or all memory, without a limit."""

from __future__ import annotations

import pytest

import archcalc
from tests.language.mistakes import mistakes

INPUT = "input: [3, 8, 8]\n"
LIST = "a list has at most 1000 values"
STEPS, WORK = "the limit of steps is 100,000", "the limit of work is 2,000,000"
EXHAUSTING = {
    "lists of lists": (LIST, 'layers: [{conv: 8, kernel: "[[[0] * 1000] * 1000] * 1000"}]'),
    "a list for a number": (LIST, 'layers: [{relu, repeat: "[[[0] * 1000] * 1000] * 1000"}]'),
    "lists of a parameter": (LIST, 'params: {a: "[0] * 999", b: "[a, a]"}\nlayers: [{relu, when: b == a}]'),
    "a long list": (LIST, f"params: {{a: [{'1, ' * 2000}]}}\nlayers: [relu]"),
    "joined lists": (LIST, 'params: {a: "[0] * 600"}\nlayers: [{relu, when: a + a == a}]'),
    "many edges": (WORK, f"layers: [{{relu, name: a}}, {{add, from: [{'a, ' * 5000}], repeat: 19000}}]"),
    "turns of nothing": (STEPS, f"layers: [{{layers: [{'{relu, repeat: 0}, ' * 5000}], repeat: 9000}}, relu]"),
    "turns over nothing": (STEPS, f"layers: [{{layers: [{'{relu, for: {k: []}}, ' * 5000}], repeat: 9000}}, relu]"),
    "long names": (WORK, f"layers: [{{relu, name: '{'{1-1}' * 9999}', repeat: 9000}}]"),
    "functions over lists": (
        *(
            WORK,
            f'params: {{a: "[0] * 1000"}}\nlayers: [{{relu, when: {" + ".join(["sum(a)"] * 60)} == 0, repeat: 9000}}]',
        ),
    ),
    "many parameters": (
        *(WORK, f"params: {{{', '.join(f'p{at}: 1' for at in range(9000))}}}\nlayers: [{{relu, repeat: 19000}}]"),
    ),
}


@pytest.mark.parametrize(("message", "text"), EXHAUSTING.values(), ids=EXHAUSTING)
def test_what_would_exhaust_the_machine(message, text):
    assert message in mistakes(INPUT + text)[0].message


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("layers: [{conv: widht, kernel: 3, repeat: 90000}]", 1),
        ("layers: [{relu, repeat: 9000}, {add, from: [none, none], repeat: 9000}]", 1),
        ("layers: [{relu, repeat: 9000}, {add, from: ['n{i}', none], repeat: 9000}]", 1),
        (f"layers: [{', '.join(f'{{add, from: n{at}}}' for at in range(60))}]", 50),
        (f"outputs: [{', '.join(f'n{at}' for at in range(60))}]\nlayers: [relu]", 50),
        (f"layers: [{'{relu, when: 3}, ' * 60}]", 50),
    ],
)
def test_mistakes_without_end(text, count):
    """One that a loop repeats is said once, and of very many the first."""
    assert len(mistakes(INPUT + text)) == count


def test_replacements_without_end():
    wrong = ", ".join(f"n{at}: relu" for at in range(60))
    assert len(mistakes(f"extends: lenet5\nreplace: {{{wrong}}}")) == 50


NESTS = {
    "groups": "{{layers: [{}], for: {{k: [1]}}, repeat: 1}}",
    "named groups": "{{group: [{}], for: {{k: [1]}}, repeat: 1}}",
    "branches": "{{add: [{}, relu], for: {{k: [1]}}, repeat: 1}}",
}


def nested(nest: str, blocks: int, inside: int) -> str:
    """Blocks in blocks, each around as many steps in steps."""
    lines = ["input: [3, 8, 8]", "blocks:"]
    for number in range(blocks):
        step = f"b{number + 1}" if number + 1 < blocks else "relu"
        for _ in range(inside):
            step = nest.format(step)
        lines.append(f"  b{number}: {{layers: [{step}]}}")
    return "\n".join([*lines, "layers: [b0]"])


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
@pytest.mark.parametrize(("blocks", "inside"), [(39, 0), (13, 2), (3, 12), (1, 38)])
def test_steps_stand_in_steps_as_deep_as_the_limit_says(nest, blocks, inside):
    """However they do so, it is the limit that ends it, and not Python's stack."""
    assert archcalc.loads(nested(nest, blocks, inside)).layers
    for deeper in (nested(nest, blocks + 1, inside), nested(nest, 200, inside)):
        assert "steps are nested too deep: the limit of nesting is 40" in mistakes(deeper)[0].message


def test_what_shares_may_be_shared_without_end():
    shares = "".join(f"  - {{share: c{at}, name: c{at + 1}}}\n" for at in range(2000))
    network = archcalc.loads(INPUT + "layers:\n  - {conv: 3, kernel: 1, name: c0}\n" + shares)
    assert {layer.shares for layer in network.layers[1:]} == {"c0"}
