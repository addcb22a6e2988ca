"""`archcalc verify`: compare the numbers with PyTorch and the counting tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import Opener, running_options
from archcalc.cli._streams import remark, until_interrupted

if TYPE_CHECKING:
    from archcalc.network import Network
    from archcalc.runtime.verify import Settings, Verification


@click.command(
    cls=Command,
    topic="check",
    short_help="Compare all numbers with PyTorch and other tools.",
    example="archcalc verify resnet50 my.yaml --device cuda --batch 64 --dtype bfloat16",
)
@running_options("Type in which inference is timed.")
@click.option("--batch", type=click.IntRange(min=1), default=1, metavar="N", help="Samples at once in timing. [1]")
@click.option("--quick", is_flag=True, help="Verify the smallest network of each family only.")
@click.option("--channels-last", is_flag=True, help="Keep tensors in channels-last order in timing.")
@document_options()
def command(
    networks: tuple[str, ...],
    opener: Opener,
    device: str | None,
    dtype: str,
    batch: int,
    quick: bool,
    channels_last: bool,
    output: Output,
) -> int:
    """Verify NETWORKs with the PyTorch modules built from them; all bundled ones if none is named.

    Compares shapes and tensors with the module, counts with fvcore and torch to the unit, and outputs with the
    reference implementation that a spec names. Measures memory and time. Exits 1 if anything differs.

    All bundled networks take about half an hour on a CPU; Ctrl-C ends early and shows what is done.
    """
    from archcalc.requirements import need, need_torch

    if quick and networks:
        raise click.UsageError("--quick chooses the networks; leave out their names")
    chosen = _networks(networks, opener, quick)  # before PyTorch is imported, which takes seconds
    need_torch()
    need("fvcore", "torch")
    from archcalc.render.verification import verification_document
    from archcalc.runtime.devices import choose_device, torch_dtype
    from archcalc.runtime.verify import Settings
    from archcalc.runtime.verify import verify as run

    torch_dtype(dtype)
    if not networks:
        remark(_announcement(len(chosen), quick))
    settings = Settings(choose_device(device), dtype, batch, channels_last)
    results, interrupted = until_interrupted(
        len(chosen), "verifying", lambda announce: run(chosen, settings, lambda name: announce(name[:24].ljust(24)))
    )
    output.show(verification_document(results, lambda: _data(results, settings)))
    if interrupted:
        remark(f"interrupted after {len(results)} of {len(chosen)} networks")
        return 130
    return 0 if all(result.passed for result in results) else 1


def _announcement(count: int, quick: bool) -> str:
    if quick:
        return f"verifying {count} networks, the smallest of each family; Ctrl-C ends early and shows what is done"
    return (
        f"verifying all {count} bundled networks: about half an hour on a CPU; --quick takes one of each family, "
        "Ctrl-C ends early and shows what is done"
    )


def _networks(references: tuple[str, ...], opener: Opener, quick: bool) -> list[Network]:
    from archcalc.language.library import bundled_networks, open_spec

    if references:
        return [opener.open(reference) for reference in references]
    specs = {path: open_spec(path) for path, _ in bundled_networks()}
    networks = [(path, specs[path].network(variant)) for path, variant in bundled_networks()]
    if not quick:
        return [network for _, network in networks]
    from archcalc.analysis import analyze

    smallest: dict[Path, tuple[int, Network]] = {}
    for path, network in networks:
        macs = analyze(network).totals.macs
        if path not in smallest or macs < smallest[path][0]:
            smallest[path] = (macs, network)
    return [network for _, network in smallest.values()]


def _data(results: list[Verification], settings: Settings) -> dict[str, Any]:
    from archcalc.runtime.verify import environment

    return {
        "environment": environment(settings.device),
        "dtype": settings.dtype,
        "batch": settings.batch,
        "channels_last": settings.channels_last,
        "networks": [result.to_dict() for result in results],
    }
