"""The commands as functions: their results print in a terminal, show in a notebook, and give a DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archcalc.analysis import Counting
from archcalc.analysis import analyze as count
from archcalc.arithmetic import as_python
from archcalc.errors import UserError
from archcalc.imports.opening import Reference, opened
from archcalc.render.document import Document
from archcalc.structs import Struct
from archcalc.words import help_line, listed, nearest_or_all, quote


class Shown(Struct):
    """The result of a function: text in a terminal, HTML in a notebook.

    Examples:
        >>> import archcalc
        >>> shown = archcalc.explain("alexnet", "pool1", ["rf"])
        >>> shown.to_dict()[-2]["formula"]
        "R' = R + J·(K − 1) = 11 + 4·(3 − 1) = 11 + 4·2 = 19"
    """

    document: Document
    """The result as tables, lists and formulas."""

    def __str__(self) -> str:
        return self.to("text").rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.to("html")

    def _repr_markdown_(self) -> str:
        return self.to("markdown")

    def to(self, format: str) -> str:
        """Return the result as text, markdown, html, latex, csv or json. Raises `UserError` for another format."""
        from archcalc.render.writers import formats, write_document

        if format not in formats():
            raise UserError(f"unknown format {quote(format)}{nearest_or_all(format, formats())}")
        written = write_document(self.document, format)
        if not isinstance(written, str):
            raise UserError(f"{format} is not text; use the command line with -o")
        return written

    def to_dict(self) -> Any:
        """Return the result as plain data, as `--format json` has it."""
        return self.document.plain_data()

    def to_dataframe(self) -> Any:
        """Return the records as a DataFrame of pandas, or of polars where pandas is not installed."""
        headings, *rows = self.document.records()
        return dataframe(headings, rows)


class Drawing(Struct):
    """A drawing, which shows in a notebook.

    Examples:
        >>> import archcalc
        >>> archcalc.draw("lenet5").svg.startswith("<?xml")
        True
    """

    svg: str
    """The drawing as SVG."""

    def __repr__(self) -> str:
        return f"<Drawing: {len(self.svg.encode()):,} bytes of SVG>"

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the drawing to an SVG file, whole or not at all. Raises `UserError` for another suffix."""
        from archcalc.files import whole_file

        if Path(path).suffix.lower() not in ("", ".svg"):
            fix = "write other formats with: archcalc draw NETWORK -o FILE"
            raise UserError(f"a drawing is saved as SVG, got the file {quote(str(path))}{help_line(fix)}")
        with whole_file(Path(path)) as temporary:
            Path(temporary).write_text(self.svg, encoding="utf-8")


def dataframe(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Return rows as a DataFrame of pandas, or of polars where pandas is not installed.

    Raises:
        UserError: if neither is installed.
    """
    columns = {heading: [row[index] for row in rows] for index, heading in enumerate(headings)}
    for name in ("pandas", "polars"):
        try:
            library = __import__(name)
        except ImportError:
            continue
        return library.DataFrame(columns)
    raise UserError("a DataFrame needs pandas or polars\nhelp: pip install pandas")


def _name(reference: str | Path) -> str:
    """Return the name or path of a spec. Raises `UserError` for a network, whose parameters are set already."""
    if not isinstance(reference, (str, Path)):
        raise UserError(f"expected the name or path of a spec, got {type(reference).__name__}")
    return str(reference)


def explain(
    network: Reference, layer: str, quantities: str | Sequence[str] = (), *, batch: int = 1, convention: str = "lecture"
) -> Shown:
    """Derive the numbers of a layer step by step; those of a group or of `total` are sums.

    Args:
        network: a network, or what `load` takes.
        layer: full name of a layer or a group, or `total`.
        quantities: output, memory, params, macs, flops, rf; empty for all.
        batch: number of samples.
        convention: name of the rule for what counts as a FLOP.

    Raises:
        UserError: for an unknown layer or quantity.

    Examples:
        >>> import archcalc
        >>> archcalc.explain("alexnet", "pool1", ["rf"])
        pool1: {max_pool: 3, stride: 2} · 64×56×56 → 64×27×27
          The largest number of each window; padding never wins.
          input: J effective stride, R receptive field size
          output: J' effective stride, R' receptive field size
          where: K kernel, S stride
        <BLANKLINE>
        pool1: receptive field
          R' = R + J·(K − 1) = 11 + 4·(3 − 1) = 11 + 4·2 = 19
          J' = J·S = 4·2 = 8
    """
    from archcalc.render.legend import with_legend
    from archcalc.render.mathematics import explanations_document
    from archcalc.symbolic.derivations import DERIVED
    from archcalc.symbolic.derivations import explain as derive
    from archcalc.symbolic.network_derivations import SUMMED, TOTAL, explain_sum

    found, counting, quantities = opened(network), Counting(batch, convention=convention), listed(quantities)
    if layer == TOTAL or layer in found.groups:
        return Shown(explanations_document(explain_sum(count(found, counting), layer, quantities or tuple(SUMMED))))
    derived = derive(found, layer, quantities or DERIVED, counting)
    return Shown(explanations_document(with_legend(found, layer, derived)))


def draw(
    network: Reference,
    *,
    style: str = "graph",
    depth: int | None = None,
    heat: str | None = None,
    direction: str = "TB",
    theme: str = "light",
    page: str | None = None,
) -> Drawing:
    """Draw a network as SVG, as a graph or in the style of papers' figures.

    Args:
        network: a network, or what `load` takes.
        style: graph, volumes, paper or blocks.
        depth: number of names in a layer's path below which groups are one box; None for what can be read.
        heat: cost that colors the boxes of a graph, such as macs; None for the kind of operator.
        direction: TB from top to bottom, LR from left to right; for graph and paper.
        theme: light, dark, print or color-blind.
        page: what a drawing fits, such as a4 or 85x120mm; None leaves a graph whole, and takes a4 for a figure.

    Raises:
        UserError: for an unknown style, cost, theme or page, or a network that is too large.

    Examples:
        >>> import archcalc
        >>> "conv1" in archcalc.draw("lenet5").svg
        True
        >>> "5×5" in archcalc.draw("lenet5", style="volumes").svg
        True
    """
    from archcalc.quantities.table import HEAT, choose
    from archcalc.render.drawing.colors import THEMES
    from archcalc.render.drawing.drawing import DrawingOptions
    from archcalc.render.figures.figure import STYLES, FigureOptions, figure, write_figure
    from archcalc.render.figures.graph import draw_graph

    known = {"style": ("graph", *STYLES), "theme": tuple(THEMES), "direction": ("TB", "LR", "BT", "RL")}
    for name, value in (("style", style), ("theme", theme), ("direction", direction)):
        if value not in known[name]:
            raise UserError(f"unknown {name} {quote(value)}{nearest_or_all(value, known[name])}")
    if depth is not None and depth < 1:
        raise UserError(f"a depth is at least 1, got {depth}")
    if heat is not None and style != "graph":
        raise UserError(f"heat colors a graph, not the style {style}")
    if heat is not None:
        choose([heat], HEAT)
    analysis = count(opened(network), Counting())
    if style == "graph":
        options = DrawingOptions(depth=depth, heat=heat, direction=direction, theme=theme)
        return Drawing(draw_graph(analysis, "svg", options, page).decode())
    orient = "right" if direction in ("LR", "RL") else "down"
    chosen = FigureOptions(style=style, page=page or "a4", theme=theme, depth=depth, orient=orient)
    return Drawing(write_figure(figure(analysis, chosen), "svg").decode())


def compare(*networks: Reference, batch: int = 1, convention: str = "lecture") -> Shown:
    """Compare the totals of networks, and the share of each spatial size in their costs.

    Args:
        networks: two networks or more, or what `load` takes.
        batch: number of samples.
        convention: name of the rule for what counts as a FLOP.

    Raises:
        UserError: for fewer than two networks.

    Examples:
        >>> import archcalc
        >>> shown = archcalc.compare("alexnet", "vgg16")
        >>> shown.to_dict()["totals"]["params"]["values"]
        [61100840, 138357544]
    """
    from archcalc.quantities.compare import compare as compared
    from archcalc.render.comparison import comparison_document

    counting = Counting(batch, convention=convention)
    analyses = [count(opened(network), counting) for network in networks]
    return Shown(comparison_document(compared(analyses), analyses))


def formula(
    reference: str | Path, let: Mapping[str, str] | None = None, quantities: str | Sequence[str] = ("params", "macs")
) -> Shown:
    """Write totals as closed forms of what is left open.

    Args:
        reference: an inline spec such as `conv 3x3 C->C`, or a spec with ``let``.
        let: parameters or input sizes to expressions over free names.
        quantities: keys; `archcalc formula --of help` lists them.

    Raises:
        SpecError: if nothing is left open, or a count has no closed form.

    Examples:
        >>> import archcalc
        >>> archcalc.formula("conv 3x3 C->C", quantities=["params"])
        params = 9C²
        >>> archcalc.formula("resnet50", {"H": "32*h"})
        params = 25,557,032
        MACs = 83,410,944h² + 2,048,000
    """
    from archcalc.language.family import Family, InlineSpec, SpecFamily, is_inline_spec
    from archcalc.language.library import find
    from archcalc.render.mathematics import formulas_document
    from archcalc.symbolic.formulas import formulas

    family: Family
    reference = _name(reference)
    if is_inline_spec(reference):
        family = InlineSpec(reference)
    else:
        spec, variant = find(reference)
        family = SpecFamily(spec, variant, {}, None, dict(let or {}))
    return Shown(formulas_document(formulas(family, listed(quantities)), "lecture"))


def design_space(
    reference: str | Path,
    over: Mapping[str, Any],
    *,
    keep: str | Sequence[str] = (),
    quantities: str | Sequence[str] = ("params", "macs"),
    input: Mapping[str, tuple[int, ...]] | None = None,
) -> Shown:
    """Compute a network at every point of a grid, as `archcalc sweep` does.

    Args:
        reference: name or file of a spec.
        over: parameters or input sizes to their values, or to one value.
        keep: a condition on points, such as `macs <= 4.2e9`, or several.
        quantities: keys; `archcalc sweep --of help` lists them.
        input: input names to shapes without the batch; None for the spec's own.

    Returns:
        The points; `to_dataframe()` has a row for each.

    Raises:
        MissingExtra: if numpy is not installed.
        UserError: for an unknown name or condition.

    Examples:
        >>> import archcalc
        >>> shown = archcalc.design_space("resnet50", {"base_width": [64, 128]}, quantities=["params"])
        >>> [point["params"] for point in shown.to_dict()]
        [25557032, 68883240]
    """
    from archcalc.render.points import points_document
    from archcalc.requirements import need
    from archcalc.sweep.space import SweepAxis, SweepPlan
    from archcalc.sweep.workers import results

    need("numpy", "sweep")
    reference, values = _name(reference), as_python(over)
    axes = tuple(SweepAxis(name, tuple(own) if isinstance(own, list) else (own,)) for name, own in values.items())
    conditions = (keep,) if isinstance(keep, str) else tuple(keep)
    plan = SweepPlan(reference, axes, listed(quantities), conditions, inputs=input)
    parts = [found.columns for found in results(plan, 1, None)]
    return Shown(points_document(reference, iter(parts), axes))


def check(network: Reference, answers: str | Path, ask: str | Sequence[str] = (), *, reveal: bool = False) -> Shown:
    """Grade a submission, and name the mistakes in it.

    Args:
        network: a network, or what `load` takes.
        answers: a CSV, XLSX, Markdown or JSON file.
        ask: keys of the questions; empty for the usual ones.
        reveal: True to show the right answers.

    Raises:
        UserError: for an unknown question, or a file that cannot be read.

    Examples:
        >>> import archcalc, pathlib, tempfile
        >>> sheet = pathlib.Path(tempfile.mkdtemp()) / "ada.csv"
        >>> _ = sheet.write_text("layer,params\\nconv1,156\\n")
        >>> archcalc.check("lenet5", sheet, ["params"]).to_dict()["rows"][0]["points"]
        1
    """
    from archcalc.homework.courses.grades_document import sheet_document
    from archcalc.homework.key import AnswerKey
    from archcalc.homework.marking.grading import Grader
    from archcalc.homework.questions import USUAL, asked, points_of

    questions = asked(",".join(listed(ask) or USUAL))
    key = AnswerKey(count(opened(network), Counting()), questions, points_of("", questions))
    sheet = Grader(key, reveal=reveal).grade(Path(answers))
    if sheet.problem is not None:
        raise UserError(f"{answers}: {sheet.problem}")
    return Shown(sheet_document(sheet))
