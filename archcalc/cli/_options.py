"""Options that several commands have, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archcalc.arithmetic import Shape
from archcalc.errors import SpecError
from archcalc.network import Network
from archcalc.words import quote

if TYPE_CHECKING:
    from archcalc.language.family import Family

F = TypeVar("F", bound=Callable[..., Any])

JOIN = "Join what stands deeper than N names into its group."
"""What `--depth` means in a table."""


def network_options(function: F) -> F:
    """`--input` and `--set`: what changes the network itself."""
    for option in (
        click.option(
            "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter or an open input size."
        ),
        click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="C,H,W",
            help="Input shape without the batch; NAME=C,H,W for one of several.",
        ),
    ):
        function = option(function)
    return function


def counting_options(function: F) -> F:
    """`--batch`, `--dtype` and `--convention`: what changes the counts."""
    for option in (
        click.option(
            "--convention",
            default="lecture",
            metavar="NAME",
            help="Way of counting: lecture, full, or a tool's: fvcore, torch, torchinfo, ptflops, ptflops-aten, thop. "
            "[lecture]",
        ),
        click.option("--dtype", default="float32", metavar="TYPE", help="Type of every number, for memory. [float32]"),
        batch_option,
    ):
        function = option(function)
    return function


def batch_option(function: F) -> F:
    """`--batch`: samples at once."""
    return click.option("--batch", type=click.IntRange(min=1), default=1, metavar="N", help="Samples at once. [1]")(
        function
    )


def quantities_option(function: F) -> F:
    """`--of`: quantities of a network."""
    return click.option(
        "--of", "of", default="params,macs", metavar="A,B,…", help="Quantities; `--of help` lists them. [params,macs]"
    )(function)


def device_option(function: F) -> F:
    """`--device`: what PyTorch runs on."""
    return click.option("--device", metavar="NAME", help="cuda, mps or cpu; the best there is if not given.")(function)


def depth_option(meaning: str) -> Callable[[F], F]:
    """`--depth`: how deep in its names a network is shown; ``meaning`` says what becomes of the rest."""
    return click.option("--depth", type=click.IntRange(min=1), metavar="N", help=meaning)


def open_network(reference: str, settings: tuple[str, ...], inputs: tuple[str, ...]) -> Network:
    """The network that a command line means."""
    from archcalc.language.language import parse_setting
    from archcalc.language.library import find

    spec, variant = find(reference)
    values = dict(parse_setting(text, spec) for text in settings)
    return spec.network(variant, values, input_shapes(inputs))


def open_family(reference: str, lets: tuple[str, ...], settings: tuple[str, ...], inputs: tuple[str, ...]) -> Family:
    """The networks that a command line means: a spec with what ``lets`` leaves open, or a piece."""
    from archcalc.language.family import InlineSpec, SpecFamily, is_piece
    from archcalc.language.language import parse_setting
    from archcalc.language.library import find

    if is_piece(reference):
        if lets or settings or inputs:
            raise SpecError("a piece has its numbers in its text: no --let, --set or --input")
        return InlineSpec(reference)
    parts = [let.partition("=") for let in lets]
    for name, equals, text in parts:
        if not equals or not name.strip() or not text.strip():
            raise SpecError(f"--let takes NAME=EXPRESSION, not {quote(name + equals + text)}")
    spec, variant = find(reference)
    values = dict(parse_setting(text, spec) for text in settings)
    return SpecFamily(
        spec, variant, values, input_shapes(inputs), {name.strip(): text.strip() for name, _, text in parts}
    )


def input_shapes(texts: tuple[str, ...]) -> Mapping[str, Shape] | None:
    """`C,H,W`, or `NAME=C,H,W` for each of several inputs."""
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        parts = [part.strip() for part in sizes.replace("x", ",").replace("×", ",").split(",")]
        if not 1 <= len(parts) <= 4 or not all(
            part.isascii() and part.isdigit() and len(part) < 20 and int(part) > 0 for part in parts
        ):
            raise SpecError(f"an input shape is C,H,W with sizes above 0, not {quote(text)}")
        shapes[name if equals else "input"] = tuple(map(int, parts))
    return shapes or None


def file_name(name: str) -> str:
    """A network's name as the name of a file in this folder."""
    return "".join(one if one.isalnum() or one in "-_." else "_" for one in name).lstrip(".")[:80] or "network"
