"""JSON Schema (draft 2020-12) of specs, for editors, from the declarations of the operators.

The schema describes the *form* of a spec: which keys are possible, and the type of each literal value. It does not
check what needs numbers: sizes, names, and the values of expressions. Every value may be an expression, so any text is
accepted for it.

The general schema does not know the blocks of a document, and accepts any unknown head as a block. The schema of one
spec knows its blocks, parameters and variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archcalc.dtypes import BITS
from archcalc.language.edits import EDITS
from archcalc.language.language import VARIANT_KEYS, Spec
from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS, Block
from archcalc.language.ties import tensor_names
from archcalc.language.variant import ABOUT
from archcalc.ops import registry
from archcalc.ops.declaring import Argument
from archcalc.ops.naming import LETTERS
from archcalc.ops.operator import Operator

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER = "^[A-Za-z_\\u0080-\\uffff][A-Za-z0-9_\\u0080-\\uffff]*$"
EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
VALUE: Schema = {"$ref": "#/$defs/value"}
STEP: Schema = {"$ref": "#/$defs/step"}
STEPS: Schema = {"$ref": "#/$defs/steps"}
NAME: Schema = {"$ref": "#/$defs/name"}
TIE: Schema = {"description": "The earlier step whose weights this tensor is, too.", **NAME}
WORD: Schema = {"type": ["string", "number", "boolean"]}
NOTHING: Schema = {"type": "null"}

MODIFIER_SCHEMAS: dict[str, Schema] = {
    "name": {"$ref": "#/$defs/own_name"},
    "from": {
        "description": "The earlier step, or steps, whose output it takes instead of the previous one's.",
        "anyOf": [NAME, {"type": "array", "items": NAME}],
    },
    "when": {
        "description": "False leaves the step out: true, false or an expression.",
        "anyOf": [{"type": "boolean"}, EXPRESSION],
    },
    "repeat": {
        "description": "Number of times that the step is taken; i counts from 0.",
        "anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION],
    },
    "for": {
        "description": "Names and lists of one length, walked side by side; i counts from 0.",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": IDENTIFIER},
        "additionalProperties": {"anyOf": [{"type": "array", "items": VALUE}, EXPRESSION]},
    },
    "train": {"description": "True for a step that exists only in training.", "const": True},
    "dtype": {"description": "The type of its weights and outputs.", "enum": list(BITS)},
    "trainable": {
        "description": "False if training keeps its weights as they are: true, false or an expression.",
        "anyOf": [{"type": "boolean"}, EXPRESSION],
    },
}
"""Keys that are possible beside every head."""

INSERTION: Schema = {
    "type": "object",
    "properties": {"after": NAME, "before": NAME, "steps": STEPS},
    "additionalProperties": False,
    "required": ["steps"],
    "oneOf": [{"required": ["after"]}, {"required": ["before"]}],
}
NUMBERED: Schema = {"description": "Name the steps by their position: 0, 1, …", "type": "boolean"}
SIZE: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
SHAPE: Schema = {
    "description": "Sizes without the batch: [channels, height, width], or {tokens: 128, features: 768}.",
    "anyOf": [
        {"type": "array", "minItems": 1, "maxItems": 4, "items": SIZE},
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 4,
            "propertyNames": {"enum": list(LETTERS)},
            "additionalProperties": SIZE,
        },
    ],
}


INPUTS_AND_OUTPUTS: dict[str, Schema] = {
    "extends": {"description": "The spec that this one starts from: a bundled name or a file.", **WORD},
    "input": SHAPE,
    "inputs": {
        "description": "Each of several inputs with its shape.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": SHAPE,
    },
    "outputs": {
        "description": "The steps whose outputs are the network's. By default the last.",
        "anyOf": [NAME, {"type": "array", "items": NAME}],
    },
}
LAYERS_AND_EDITS: dict[str, Schema] = {
    "numbered": NUMBERED,
    "layers": STEPS,
    "rename": {
        "description": "Names of steps, groups or tensors, with the names that the reference has; * is any name.",
        "type": ["object", "null"],
        "additionalProperties": NAME,
    },
    "append": {**STEPS, "description": "Steps after those of the spec that this one extends."},
    "remove": {
        "description": "Steps of the spec that this one extends, which are left out.",
        "anyOf": [NAME, {"type": "array", "items": NAME}],
    },
    "insert": {
        "description": "Steps after or before a step of the spec that this one extends.",
        "anyOf": [INSERTION, {"type": "array", "items": INSERTION}],
    },
    "replace": {
        "description": "Steps of the spec that this one extends, with their replacements.",
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [STEPS, STEP, NOTHING]},
    },
}


def spec_schema(spec: Spec | None = None) -> Schema:
    """Return the schema of any spec, or of one spec with its blocks."""
    blocks = None if spec is None else spec.blocks
    definitions: dict[str, Schema] = {
        "expression": {"description": "An expression over parameters, loop variables and input.", "type": "string"},
        "value": {
            "anyOf": [{"type": ["string", "number", "boolean", "null"]}, {"type": "array", "items": VALUE}],
        },
        "name": {**WORD, "minLength": 1},
        "own_name": {
            "description": "The step's name; it may have expressions in braces: layer{stage}.",
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^.]*$"},
                {"type": "string", "pattern": "[{].*[}]"},
                {"type": ["integer", "boolean"]},
            ],
        },
        "steps": {"description": "Steps, each taking the output of the one before it.", "type": "array", "items": STEP},
        "branches": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [STEPS, STEP]},
        },
        **{f"operator_{kind}": operator_schema(operator) for kind, operator in registry().items()},
        **{f"special_{name}": schema for name, schema in _special(blocks or {}).items()},
        **{f"block_{name}": block_schema(block) for name, block in (blocks or {}).items()},
        "group": _group(list(blocks or {})),
    }
    if blocks is None:
        definitions["any_block"] = _any_block()
    heads = [name for name in definitions if name.startswith(("operator_", "special_", "block_", "any_block", "group"))]
    definitions["step"] = {"anyOf": [_bare(blocks), *({"$ref": f"#/$defs/{name}"} for name in heads)]}
    title = "A network for archcalc" if spec is None else f"The network {spec.name}"
    return {"$schema": DIALECT, "title": title, **_root(spec), "$defs": definitions}


# -- steps


def operator_schema(operator: type[Operator]) -> Schema:
    """Return the schema of a step whose head is the operator."""
    arguments = operator.arguments
    required = [name for name, argument in arguments.items() if argument.required]
    principal = operator.principal()
    if operator.joins:
        value: Schema = {"anyOf": [NOTHING, {"$ref": "#/$defs/branches"}]}
    elif principal is None:
        value = NOTHING
    else:
        value = {"anyOf": [NOTHING, *_options(arguments[principal].type.schema())]}
    head = {"description": operator.summary(), **value}
    properties = {name: argument_schema(argument) for name, argument in arguments.items() if name != operator.kind}
    properties |= dict.fromkeys(tensor_names(operator), TIE)
    principal = None if operator.joins else principal
    return _step(operator.kind, head, properties, required, principal) | {"description": operator.summary()}


def argument_schema(argument: Argument) -> Schema:
    """Return the schema of an argument: a literal value or an expression."""
    schema: Schema = {"description": argument.doc, "anyOf": _options(argument.type.schema())}
    if isinstance(argument.default, (bool, int, float, str)):
        schema["default"] = argument.default
    return schema


def block_schema(block: Block) -> Schema:
    """Return the schema of a step whose head is a block."""
    required = [name for name, default in block.params.items() if default is None]
    properties: dict[str, Schema] = {name: dict(VALUE) for name in block.params if name != block.name}
    value = VALUE if block.params else NOTHING
    head = {"description": f"The block {block.name}.", **value}
    return _step(block.name, head, properties, required, next(iter(block.params), None))


def _step(
    head: str, value: Schema, properties: Mapping[str, Schema], required: Iterable[str], principal: str | None
) -> Schema:
    """Return the schema of a mapping with one head; its principal argument is the head's value or a key, not both."""
    schema: Schema = {
        "type": "object",
        "required": [head, *(name for name in required if name != principal)],
        "properties": {head: value, **properties, **MODIFIER_SCHEMAS},
        "additionalProperties": False,
    }
    if principal is not None and principal != head:
        by_value = {"properties": {head: {"not": NOTHING}, principal: False}}
        by_name: Schema = {"properties": {head: NOTHING}}
        if principal in required:
            by_name["required"] = [principal]
        schema["anyOf"] = [by_value, by_name]
    elif principal is not None and principal in required:
        schema["properties"][head] = {"allOf": [value, {"not": NOTHING}]}
    return schema


def _special(blocks: Mapping[str, Block]) -> dict[str, Schema]:
    """Return the schemas of steps whose head is neither an operator nor a block."""
    values: dict[str, Schema] = {
        "layers": {**STEPS, "description": "Steps that belong together."},
        "side": {**STEPS, "description": "Steps off the main path, such as an auxiliary classifier."},
        "share": {**NAME, "description": "An earlier step used again with the same weights."},
        "use": {**EXPRESSION, "description": "The name of a block or operator, as an expression."},
    }
    found = {}
    for name, value in values.items():
        extra = {"numbered": NUMBERED} if name in ("layers", "side") else {}
        found[name] = _step(name, value, extra, (), None)
    del found["share"]["properties"]["trainable"]  # the earlier step says it
    found["use"]["additionalProperties"] = VALUE
    arguments = {name for operator in registry().values() for name in operator.arguments}
    arguments.update(name for block in blocks.values() for name in block.params)
    heads = [
        *(kind for kind in registry() if kind not in arguments),
        *(name for name in SPECIAL_HEADS if name != "use"),
    ]
    found["use"]["propertyNames"] = {"not": {"enum": heads}}
    return found


def _heads(blocks: Iterable[str] = ()) -> list[str]:
    return [*registry(), *SPECIAL_HEADS, *blocks]


def _group(blocks: list[str]) -> Schema:
    """Return the schema of a named group: a key of the user, and its steps."""
    beside: dict[str, Schema] = {key: schema for key, schema in MODIFIER_SCHEMAS.items() if key != "name"}
    return {
        "description": "A named group of steps.",
        "type": "object",
        "properties": {**beside, "numbered": NUMBERED},
        "propertyNames": {"not": {"enum": ["name", *_heads(blocks)]}},
        "additionalProperties": STEPS,
        "minProperties": 1,
        "not": _only([*beside, "numbered"]),
    }


def _any_block() -> Schema:
    """Return the schema of a step whose head is a block that this schema does not know."""
    return {
        "description": "A block of the spec, with its parameters.",
        "type": "object",
        "properties": dict(MODIFIER_SCHEMAS),
        "propertyNames": {"not": {"enum": _heads()}},
        "additionalProperties": VALUE,
        "not": _only(MODIFIERS),
    }


def _only(names: Iterable[str]) -> Schema:
    return {"propertyNames": {"enum": list(names)}}


def _bare(blocks: Mapping[str, Block] | None) -> Schema:
    """Return the schema of a step that is a word: an operator or a block without required arguments."""
    operators = [
        kind
        for kind, operator in registry().items()
        if not any(argument.required for argument in operator.arguments.values())
    ]
    if blocks is None:
        return {"anyOf": [{"enum": operators}, {"type": "string", "not": {"enum": list(registry())}}]}
    return {"enum": operators + [name for name, block in blocks.items() if None not in block.params.values()]}


# -- values


def _options(literal: Schema) -> list[Schema]:
    """Return the forms of a value: a literal, whose items may be expressions, and an expression."""
    forms = literal["anyOf"] if set(literal) == {"anyOf"} else [literal]
    return [*(_with_expressions(form) for form in forms if form is not EXPRESSION), EXPRESSION]


def _with_expressions(form: Schema) -> Schema:
    if set(form) == {"anyOf"}:
        return {"anyOf": _options(form)}
    inside = {"array": "items", "object": "additionalProperties"}.get(form.get("type", ""))
    return {**form, inside: {"anyOf": _options(form[inside])}} if inside else form


# -- the document


def _root(spec: Spec | None) -> Schema:
    about = {key: {"description": f"The network's {key}.", **WORD} for key in ABOUT}
    taken = ["input", "i", *VARIANT_KEYS]
    params: Schema = {
        "description": "Spec parameters with their defaults; required for no default.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": IDENTIFIER, "not": {"enum": taken}},
        "additionalProperties": VALUE,
    }
    variant: Schema = {
        "type": ["object", "null"],
        "properties": {**about, "input": SHAPE},
        "additionalProperties": VALUE if spec is None else False,
    }
    if spec is not None:
        variant["properties"] |= dict.fromkeys(spec.params, VALUE)
    properties: dict[str, Schema] = {
        "name": {"description": "The network's name.", **WORD},
        **about,
        **INPUTS_AND_OUTPUTS,
        "params": params,
        "variants": {
            "description": "Named settings of the parameters.",
            "type": ["object", "null"],
            "additionalProperties": variant,
        },
        "blocks": {
            "description": "Named lists of steps with parameters, used like operators.",
            "type": ["object", "null"],
            "propertyNames": {"not": {"enum": list(registry())}},
            "additionalProperties": _block_definition(params),
        },
        **LAYERS_AND_EDITS,
    }
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "not": {"required": ["input", "inputs"]},
        "if": {"required": ["extends"]},
        "then": {"properties": {"layers": False}},
        "else": {
            "required": ["layers"],
            "anyOf": [{"required": ["input"]}, {"required": ["inputs"]}, {"required": ["variants"]}],
            "properties": dict.fromkeys(EDITS, False),
        },
    }


def _block_definition(params: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["layers"],
        "properties": {
            "params": {**params, "description": "The block's parameters with their defaults, or required."},
            "inputs": {
                "description": "Names of its inputs, if there are several.",
                "type": "array",
                "minItems": 1,
                "items": NAME,
            },
            "outputs": {
                "description": "The steps whose outputs are the block's: the next step takes the first, `from` any.",
                "anyOf": [NAME, {"type": "array", "minItems": 1, "items": NAME}],
            },
            "layers": STEPS,
            "numbered": NUMBERED,
        },
        "additionalProperties": False,
    }
