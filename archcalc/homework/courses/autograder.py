"""A folder with an autograder for Gradescope: zip its content and upload it.

It holds the running version of archcalc and of what it needs as wheels, so the same versions make the worksheet and
grade it, without a network; the spec, if it is not bundled; the answer key, for teaching assistants; and the two
scripts that Gradescope runs.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from archcalc.analysis.rows import TableRow
from archcalc.errors import UserError
from archcalc.files import whole_folder
from archcalc.homework.courses.collect import SEEDS
from archcalc.homework.courses.wheels import write_wheels
from archcalc.homework.key import AnswerKey
from archcalc.homework.questions import Question
from archcalc.imports.references import parse_source
from archcalc.language.library import SUFFIXES, bundled_folder, find
from archcalc.language.source import Scalar, parse, read_document
from archcalc.network import Network
from archcalc.render.folding import network_spec
from archcalc.render.writers.csv import csv_cell
from archcalc.words import quote

EXAMPLE = {"name": "Example Student", "email": "student@example.org", "number": "1"}
"""The student of `key.csv` and `submission_metadata.json`, where each student has a network of their own."""

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, when the autograder's image is made. It installs archcalc and what it needs from the wheels
# beside this file, in the versions and with the hashes of requirements.txt. The network is used only without Python.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))'; then
  apt-get update -y
  apt-get install -y python3 python3-pip python3-venv
fi
python3 -m venv "$root/archcalc"
"$root/archcalc/bin/python" -m pip install --no-index --no-deps --require-hashes --disable-pip-version-check \\
  --find-links "$root/source" --find-links "$root/source/wheels" -r "$root/source/requirements.txt"
"""

RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for each submission. It always writes results.json.
root="${{AUTOGRADER_ROOT:-/autograder}}"
mkdir -p "$root/results"
rm -f "$root/results/results.json"
cd "$root/source" || exit 1
"$root/archcalc/bin/python" -m archcalc check {network} "$root/submission" \\
  {options} \\
  --gradescope "$root/results/results.json"
if [ ! -s "$root/results/results.json" ]; then
  echo '{{"score": 0, "output": "The autograder failed: please tell your instructors."}}' > "$root/results/results.json"
fi
exit 0
"""


def write_autograder(folder: Path, reference: str, key: AnswerKey, options: Sequence[str]) -> None:
    """Write the folder of an autograder, whole or not at all.

    Args:
        folder: a new folder, or an empty one.
        reference: the network as the user names it: a bundled name, an inline spec, or a file, which is copied. Of an
            imported network a spec is written, so an autograder runs no code of a file.
        key: the questions and the answers.
        options: the options of `archcalc check`, without the network and the submission.

    Raises `UserError` for a folder with something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{quote(str(folder))} is not an empty folder; name a new or an empty one")
    with whole_folder(folder) as temporary:
        network = _copy_spec(reference, key.analysis.network, temporary)
        script = RUN.format(network=shlex.quote(network), options=shlex.join(options))
        (temporary / "setup.sh").write_text(SETUP, encoding="utf-8", newline="\n")
        (temporary / "run_autograder").write_text(script, encoding="utf-8", newline="\n")
        for name in ("setup.sh", "run_autograder"):
            (temporary / name).chmod(0o755)
        (temporary / "key.csv").write_text(key_csv(key), encoding="utf-8")
        if any(("--seed", seed) in pairwise(options) for seed in SEEDS):
            user = {"name": EXAMPLE["name"], "email": EXAMPLE["email"], "id": int(EXAMPLE["number"])}
            metadata = json.dumps({"users": [user]}) + "\n"
            (temporary / "submission_metadata.json").write_text(metadata, encoding="utf-8")
        write_wheels(temporary)


def key_csv(key: AnswerKey) -> str:
    """Return the right answers as a table that gets all points from `archcalc check`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["layer", *(question.key for question in key.questions)])
    for row in key.rows:
        texts = [_answer(key, row, question) for question in key.questions]
        writer.writerow([csv_cell(row.name), *map(csv_cell, texts)])
    return stream.getvalue()


def _answer(key: AnswerKey, row: TableRow, question: Question) -> str:
    """Return the right answer without commas and without its rounding in brackets; empty if the cell is not asked."""
    answer = key.answer(row, question)
    shown = "" if answer is None else question.kind.show(answer, key.analysis)
    return re.sub(r" \([\d.,]+ \w+\)$", "", shown).replace(",", "")


# -- the spec


def _copy_spec(reference: str, network: Network, folder: Path) -> str:
    """Copy a spec of the user's own with all that it extends, and say how it is called from inside the folder."""
    from archcalc.language.family import is_inline_spec

    if is_inline_spec(reference):
        return reference
    if parse_source(reference) is not None:
        (folder / "spec").mkdir()
        (folder / "spec" / "network.yaml").write_text(network_spec(network), encoding="utf-8")
        return "spec/network.yaml"
    variant = reference.partition("#")[2]
    spec, _ = find(reference)
    path = spec.document.path
    if path is None or path.resolve().parent == bundled_folder().resolve():
        return reference
    for copied, name in _extended(path, path.parent.resolve()):
        target = folder / "spec" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copied, target)
    return f"spec/{path.name}" + (f"#{variant}" if variant else "")


def _extended(path: Path, top: Path) -> Iterator[tuple[Path, Path]]:
    """Return a spec and those that it extends, with their paths from ``top``."""
    while True:
        path = path.resolve()
        yield path, path.relative_to(top)
        node = parse(read_document(path)).get("extends")
        name = node.text.partition("#")[0] if isinstance(node, Scalar) else ""
        if not name.endswith(SUFFIXES):
            return
        path = path.parent / name
