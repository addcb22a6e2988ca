"""The JSON Schema of specs: bundled ones are valid, and what archcalc rejects for its form, the schema rejects too.

The validator is jsonschema-rs, an implementation of draft 2020-12 that is not ours, and a fast one.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archcalc
from archcalc import SpecError
from archcalc.language.language import Spec
from archcalc.language.library import bundled_networks, open_spec
from archcalc.language.schema import spec_schema
from archcalc.language.source import Mapping, Scalar, Sequence, SpecDocument, is_empty, parse
from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS
from archcalc.ops import registry

jsonschema = pytest.importorskip("jsonschema_rs", reason="no jsonschema-rs: pip install 'archcalc[dev]'")

FILES = {path.stem: path for path, _ in bundled_networks()}


def plain(node: Any) -> Any:
    """A document as an editor reads it: YAML 1.2, where a word is a text and a number a number."""
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    if node.quoted:
        return node.text
    if is_empty(node):
        return None
    if node.text in ("true", "false"):
        return node.text == "true"
    for number in (int, float):
        try:
            return number(node.text)
        except ValueError:
            pass
    return node.text


@cache
def general():
    return jsonschema.Draft202012Validator(spec_schema())


@cache
def opened(name: str):
    """A bundled spec's data, and the validator of its own schema."""
    spec = open_spec(FILES[name])
    return plain(spec.root), jsonschema.Draft202012Validator(spec_schema(spec))


def mistakes(data: Any) -> list[str]:
    """What archcalc finds wrong with a document, said in messages."""
    try:
        spec_text = json.dumps(data)
        archcalc.loads(spec_text)
    except SpecError as error:
        return [mistake.message for mistake in error.diagnostics]
    return []


@pytest.mark.parametrize("name", FILES)
def test_bundled_specs_are_valid(name):
    data, own = opened(name)
    assert list(general().iter_errors(data)) == []
    assert list(own.iter_errors(data)) == []


def test_the_schemas_are_schemas():
    for schema in (spec_schema(), spec_schema(open_spec(FILES["resnet"]))):
        jsonschema.meta.validate(schema)


def test_every_operator_and_argument_is_explained():
    """An editor shows descriptions beside what it offers."""
    definitions = spec_schema()["$defs"]
    for kind, operator in registry().items():
        schema = definitions[f"operator_{kind}"]
        assert schema["description"]
        for name, argument in operator.arguments.items():
            if name != kind:
                assert schema["properties"][name]["description"] == argument.doc


def test_a_spec_knows_its_own_blocks():
    """In the general schema any unknown head may be a block; in a spec's own, only its blocks."""
    data, own = opened("resnet")
    data = copy.deepcopy(data)
    data["layers"].append({"bottelneck": 64})
    assert general().is_valid(data)
    assert not own.is_valid(data)


NEW = {
    "tied weights": "input: [5]\nlayers: [{embedding: 4, entries: 9, name: e}, {linear: 9, weight: e}]\n",
    "an argument called like an operator": (
        "input: [3, 4, 4]\nlayers: [{use: upsample, scale: 2}, {upsample, scale: 2}]\n"
    ),
    "names of several steps": 'input: [3]\nlayers: [{relu, name: a0}, {tanh, name: a1}, {add, from: "a{range(2)}"}]\n',
    "the shape of a step": "input: [3]\nlayers: [{linear: 7, name: a}, {linear: a.features}]\n",
    "outputs of a block": (
        "input: [3]\nblocks: {b: {outputs: [one, two], layers: [{relu, name: one}, {tanh, name: two}]}}\nlayers: [b]\n"
    ),
    "other names": "input: [3]\nrename: {a: b, g.*: c.*}\nlayers: [{relu, name: a}, {g: [tanh]}]\n",
    "an opaque step": "input: [3]\nlayers: [{opaque: [64, 56, 56], params: 1000, macs: 5e6, name: magic}]\n",
}


@pytest.mark.parametrize("what", NEW)
def test_what_archcalc_reads_is_valid(what):
    archcalc.loads(NEW[what])
    spec = Spec(SpecDocument(NEW[what], "a.yaml"), lambda *_: None)
    for schema in (spec_schema(), spec_schema(spec)):
        assert list(jsonschema.Draft202012Validator(schema).iter_errors(plain(spec.root))) == []


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "spec-language.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(1, len(EXAMPLES) + 1))
def test_examples_of_the_language_are_valid(text):
    """Each is whole: `test_docs` runs the commands below it. One shows how a misspelled argument is reported."""
    assert general().is_valid(plain(parse(SpecDocument(text, "a.yaml")))) == ("kernal" not in text)


def test_a_shared_step_does_not_say_what_is_trained():
    steps = [{"linear": 3, "name": "a"}, {"share": "a", "name": "b"}]
    data = {"input": [3], "layers": steps}
    assert general().is_valid(data)
    assert mistakes(data) == []
    steps[1]["trainable"] = False
    assert not general().is_valid(data)
    assert "says whether they are trained" in mistakes(data)[0]


EDITS = """
extends: alexnet
append: [softmax]
remove: [fc7]
insert: [{after: conv1, steps: [batch_norm]}, {before: pool1, steps: [{relu, name: r}]}]
replace: {fc8: {linear: 5}}
"""


def test_edits_of_an_extended_spec_are_valid():
    data = plain(parse(SpecDocument(EDITS, "a.yaml")))
    assert list(general().iter_errors(data)) == []
    for wrong in ({"after": "a"}, {"steps": []}, {"after": "a", "before": "b", "steps": []}, {"at": "a", "steps": []}):
        assert not general().is_valid({**data, "insert": wrong})


# -- mutations


def steps_of(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every step that is a mapping, as its place: the list or mapping that holds it, and where."""
    pending = [(data, key) for key in ("layers", "replace") if isinstance(data.get(key), (list, dict))]
    pending += [(block, "layers") for block in (data.get("blocks") or {}).values()]
    while pending:
        holder, key = pending.pop()
        value = holder[key]
        if isinstance(value, list):
            pending += [(value, at) for at in range(len(value))]
        elif isinstance(value, dict):
            if holder is not data:
                yield holder, key
            pending += [(value, name) for name in value if isinstance(value[name], list)]


def heads(step: dict[str, Any]) -> list[str]:
    return [key for key in step if key in registry()]


SCALARS = (-7, 2.5, True, None, "", [], [[]], {"a": 1})
ROOT = {
    "unknown key": lambda d: d.update(layerz=[]),
    "no layers": lambda d: d.pop("layers"),
    "layers: a word": lambda d: d.update(layers="relu"),
    "layers: nothing": lambda d: d.update(layers=None),
    "layers: a mapping": lambda d: d.update(layers={"relu": None}),
    "input: no list": lambda d: d.update(input=3),
    "input: nothing in it": lambda d: d.update(input=[]),
    "input: too many sizes": lambda d: d.update(input=[1, 2, 3, 4, 5]),
    "input: a size of 0": lambda d: d.update(input=[3, 0, 8]),
    "input and inputs": lambda d: d.update(input=[3, 8, 8], inputs={"a": [3, 8, 8]}),
    "replace without extends": lambda d: d.update(replace={"a": "relu"}),
    "append without extends": lambda d: d.update(append=["relu"]),
    "insert without extends": lambda d: d.update(insert={"after": "a", "steps": ["relu"]}),
    "remove without extends": lambda d: d.update(remove=["a"]),
    "rename: a list": lambda d: d.update(rename=["a"]),
    "rename: to a list": lambda d: d.update(rename={"a": ["b"]}),
    "a block: outputs: nothing in it": lambda d: d.update(
        blocks={**d.get("blocks", {}), "a": {"layers": ["relu"], "outputs": []}}
    ),
    "extends and layers": lambda d: d.update(extends="alexnet"),
    "params: a list": lambda d: d.update(params=[1]),
    "params: a word of its own": lambda d: d.update(params={**d.get("params", {}), "input": 1}),
    "params: no identifier": lambda d: d.update(params={**d.get("params", {}), "a-b": 1}),
    "params: a mapping": lambda d: d.update(params={**d.get("params", {}), "a": {"b": 1}}),
    "variants: a list": lambda d: d.update(variants=["a"]),
    "a variant: a number": lambda d: d.update(variants={**d.get("variants", {}), "a": 3}),
    "a variant: unknown key": lambda d: d.update(variants={**d.get("variants", {}), "a": {"widht": 3}}),
    "blocks: a list": lambda d: d.update(blocks=["a"]),
    "a block: a list": lambda d: d.update(blocks={**d.get("blocks", {}), "a": ["relu"]}),
    "a block: no layers": lambda d: d.update(blocks={**d.get("blocks", {}), "a": {"params": {}}}),
    "a block: unknown key": lambda d: d.update(blocks={**d.get("blocks", {}), "a": {"layers": ["relu"], "parms": {}}}),
    "a block: called like an operator": lambda d: d.update(
        blocks={**d.get("blocks", {}), "conv": {"layers": ["relu"]}}
    ),
    "a block: inputs: a mapping": lambda d: d.update(
        blocks={**d.get("blocks", {}), "a": {"layers": ["relu"], "inputs": {}}}
    ),
    "a step: a list": lambda d: d["layers"].append(["relu"]),
    "a step: a number": lambda d: d["layers"].append(3),
    "a step: nothing": lambda d: d["layers"].append(None),
    "a step: a name alone": lambda d: d["layers"].append({"name": "lonely"}),
    "a step: an operator that needs an argument": lambda d: d["layers"].append("conv"),
}
NEEDS_A_SPEC = {"a variant: unknown key"}
"""What only the schema of the spec itself can know."""


@pytest.mark.parametrize("mutation", ROOT)
def test_mutations_of_a_document(mutation):
    for name in ("resnet", "alexnet_torchvision", "lenet"):
        data, own = opened(name)
        data = copy.deepcopy(data)
        ROOT[mutation](data)
        assert mistakes(data), name
        assert not own.is_valid(data), name
        assert mutation in NEEDS_A_SPEC or not general().is_valid(data), name


def unknown_key(step, draw):
    assume("use" not in step)  # what it may have is known once its expression is
    step["kernal"] = 3


def two_heads(step, draw):
    step[draw(st.sampled_from(["max_pool", "relu", "linear", "side", "share", "layers"]))] = 3


def misspelled_head(step, draw):
    assume(heads(step))
    head = heads(step)[0]
    assume(not isinstance(step[head], list))  # `addx: [...]` is a group of that name
    step[f"{head}x"] = step.pop(head)


def missing_argument(step, draw):
    assume(len(heads(step)) == 1)
    [head] = heads(step)
    arguments = registry()[head].arguments
    required = [name for name, argument in arguments.items() if argument.required]
    assume(required)
    name = draw(st.sampled_from(required))
    if name in step and name != head:
        del step[name]
    else:
        step[head] = None


def wrong_value(step, draw):
    """Any value at any argument; only what archcalc says of its type counts (`must be`)."""
    assume(heads(step))
    keys = [key for key in step if key not in MODIFIERS]
    step[draw(st.sampled_from(keys))] = copy.deepcopy(draw(st.sampled_from(SCALARS)))


def wrong_modifier(step, draw):
    wrong = {
        "name": (None, "a.b", [], {}, 1.5),
        "from": (None, {}, [[]]),
        "when": (3, {}, 2.5),
        "repeat": (-1, 2.5, {}),
        "for": ([], {}, {"a-b": [1]}, {"a": {}}, 3),
        "train": (3, "maybe", [], {}, False),
    }
    key = draw(st.sampled_from(sorted(wrong)))
    step[key] = copy.deepcopy(draw(st.sampled_from(wrong[key])))


def wrong_branches(step, draw):
    joins = [head for head in heads(step) if registry()[head].joins and step[head] is not None]
    assume(joins)
    step[joins[0]] = copy.deepcopy(draw(st.sampled_from((3, "relu", [], {"relu": None}, [3], [None]))))


def wrong_steps(step, draw):
    lists = {key: value for key, value in step.items() if isinstance(value, list) and key not in registry()}
    own = [key for key, value in lists.items() if any(isinstance(item, dict) for item in value)]
    assume(own)
    step[own[0]] = copy.deepcopy(draw(st.sampled_from((3, None, "relu", {"relu": None}, [["relu"]], [3]))))


def given_twice(step, draw):
    assume(len(heads(step)) == 1)
    [head] = heads(step)
    principal = next(iter(registry()[head].arguments), head)
    assume(principal != head and step[head] is not None and not registry()[head].joins)
    step[principal] = 3


def numbered_by_a_number(step, draw):
    assume(any(key in step for key in ("layers", "side")))
    step["numbered"] = 3


MUTATIONS = (
    unknown_key,
    two_heads,
    misspelled_head,
    missing_argument,
    wrong_value,
    wrong_modifier,
    wrong_branches,
    wrong_steps,
    given_twice,
    numbered_by_a_number,
)
ONLY_OWN = {misspelled_head, unknown_key, two_heads, wrong_steps}
"""In the general schema, a key that it does not know may be a block, and a list of words its principal argument."""
OF_VALUES = (" must be ", "is expected here")
NOT_FORM = (
    "no step",
    "is not before",
    "there is no '",
    "nothing takes",
    "invalid expression",
    "needs a value for",
    "or -1 once",
    "needs inputs",
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
@settings(max_examples=8, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data())
def test_mutations_of_steps(mutation, data):
    """Somewhere in a bundled spec, a step is made wrong: if archcalc rejects it for its form, so does the schema."""
    document, own = opened(data.draw(st.sampled_from(sorted(FILES))))
    document = copy.deepcopy(document)
    places = list(steps_of(document))
    holder, key = places[data.draw(st.integers(0, len(places) - 1))]
    mutation(holder[key], data.draw)
    found = mistakes(document)
    if mutation is wrong_value:
        found = [message for message in found if any(phrase in message for phrase in OF_VALUES)]
    found = [message for message in found if not any(phrase in message for phrase in NOT_FORM)]
    assume(found)
    assert not own.is_valid(document), found[0]
    beside_a_block = not heads(holder[key]) and not any(head in holder[key] for head in SPECIAL_HEADS)
    if mutation not in ONLY_OWN and not beside_a_block:
        assert not general().is_valid(document), found[0]
