"""`archcalc serve`: a live page in the browser."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._streams import remark
from archcalc.cli._waiting import without_waiting

if TYPE_CHECKING:
    from archcalc.serve.editing import Edited


@click.command(
    cls=Command,
    topic="draw",
    short_help="Edit a network in the browser, and see it change.",
    example="archcalc serve mine.yaml",
)
@click.argument("network", default="alexnet")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port of 127.0.0.1. [any]")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser. [--browser]")
def command(network: str, port: int, browser: bool) -> None:
    """Edit NETWORK in the browser, and see its table and drawing change with every key.

    NETWORK is a bundled name (see `archcalc list`), a file, which is saved there, a network from elsewhere such as
    FILE.onnx, or a link that another page has shared. Listens on 127.0.0.1 only. Ctrl-C ends it. Needs
    archcalc[serve]: pip install 'archcalc[serve]'.
    """
    from archcalc.serve.running import serve

    def opened(link: str) -> None:
        remark(f"the page is at {link}")
        remark("Ctrl-C ends it")
        if browser:
            import webbrowser

            webbrowser.open(link)

    edited = _edited(network)
    # The server turns an interrupt into an exception of its own, or ends as if it had nothing more to do.
    with suppress(KeyboardInterrupt), without_waiting():
        serve(edited, port, opened)
    remark("ended")


def _edited(reference: str) -> Edited:
    """Return the text of a bundled network, a file, an imported network or a shared link."""
    from pathlib import Path

    from archcalc.imports.cache import cache_folder
    from archcalc.imports.references import parse_source
    from archcalc.language.library import bundled, find, plain
    from archcalc.language.source import read_document
    from archcalc.serve.editing import Edited

    folder = cache_folder()
    drafts = None if folder is None else folder / "drafts"
    link, mark, fragment = reference.partition("#s=")
    if mark and (not link or link.startswith(("http://127.0.0.1:", "http://localhost:"))):
        return Edited("", drafts=None, fragment=f"s={fragment}")
    if parse_source(reference) is not None:
        from archcalc.cli._options import Opener
        from archcalc.render.folding import folded_spec

        return Edited(folded_spec(Opener((), (), {}, False).open(reference)), drafts=drafts)
    name, _, variant = reference.partition("#")
    if plain(name) in bundled():
        spec, found = find(reference)
        return Edited(spec.document.text, found or "", drafts=drafts)
    path = Path(name)
    return Edited(read_document(path).text, variant, path, drafts)
