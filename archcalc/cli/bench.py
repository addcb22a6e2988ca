"""`archcalc bench`: inference timed, beside what the roofline predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options, format_of
from archcalc.cli._options import JOIN, Opener, depth_option, running_options
from archcalc.cli._streams import remark, until_interrupted
from archcalc.errors import UserError
from archcalc.requirements import need_torch
from archcalc.words import is_digits, quote

if TYPE_CHECKING:
    from archcalc.network import Network
    from archcalc.runtime.benchmark import Benchmark


@click.command(
    cls=Command,
    topic="check",
    short_help="Time networks on a device, layer by layer.",
    example="archcalc bench resnet50 mobilenet_v2 --device cuda --batch 1,8,64,256",
)
@running_options("float64, float32, tf32, float16, bfloat16.")
@click.option("--batch", default="1", metavar="N,N…", help="Batch sizes, each timed. [1]")
@click.option("--channels-last", is_flag=True, help="Lay out images and weights with the channels last.")
@click.option(
    "--device-profile",
    "reference",
    metavar="FILE|NAME",
    help="Predict for another device, such as h100, and time nothing.",
)
@depth_option(JOIN)
@click.option("--calibrate", is_flag=True, help="Write a profile of this device, and time no network.")
@document_options()
def command(
    networks: tuple[str, ...],
    opener: Opener,
    device: str | None,
    dtype: str,
    batch: str,
    channels_last: bool,
    reference: str | None,
    depth: int | None,
    calibrate: bool,
    output: Output,
) -> int:
    """Time NETWORKs' inference, whole and layer by layer, and predict both by the roofline model.

    Peak and bandwidth of the device are measured first, by a large matrix product and a large copy. Exits 1 if a
    network could not be timed.
    """
    if reference is not None and (device is not None or calibrate):
        raise click.UsageError("--device-profile predicts for another device; leave out --device and --calibrate")
    if calibrate:
        if networks:
            raise click.UsageError("--calibrate measures the device; leave out the networks")
        format_of(output.file, None, ("json",))
        need_torch()
        from archcalc.runtime.calibration import calibrate as measure_device
        from archcalc.runtime.devices import choose_device

        output.write(measure_device(choose_device(device)).to_json())
        return 0
    if not networks:
        raise click.UsageError("no network to time; write: archcalc bench resnet50")
    batches = _batches(batch)
    opened = [opener.open(network) for network in networks]
    from archcalc.render.benchmarks import benchmarks_document
    from archcalc.runtime.device_profile import find_profile

    if reference is not None:
        from archcalc.runtime.benchmark import predict_only

        profile = find_profile(reference)
        results, interrupted = _each(opened, batches, lambda network, n: predict_only(network, n, dtype, profile))
    else:
        need_torch()
        from archcalc.runtime.bench import bench
        from archcalc.runtime.calibration import calibrate as measure_device
        from archcalc.runtime.devices import choose_device, torch_dtype

        torch_dtype(dtype)
        chosen = choose_device(device)
        profile = measure_device(chosen, [dtype])
        results, interrupted = _each(
            opened, batches, lambda network, n: bench(network, n, dtype, chosen, profile, channels_last)
        )
    output.show(benchmarks_document(results, profile, depth))
    if interrupted:
        remark(f"interrupted after {len(results)} of {len(opened) * len(batches)}")
        return 130
    return 1 if any(result.failure for result in results) else 0


def _batches(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(is_digits(part) and int(part) for part in parts):
        raise UserError(f"--batch takes integers above 0, such as 1,8,64, got {quote(text)}")
    return [int(part) for part in parts]


def _each(
    networks: list[Network], batches: list[int], run: Callable[[Network, int], Benchmark]
) -> tuple[list[Benchmark], bool]:
    """Run every network at every batch; the flag is True if the user interrupted."""
    turns = [(network, batch) for network in networks for batch in batches]

    def results(announce: Callable[[str], None]) -> Iterator[Benchmark]:
        for network, batch in turns:
            announce(f"{network.name[:24]} batch {batch}")
            yield run(network, batch)

    return until_interrupted(len(turns), "timing", results)
