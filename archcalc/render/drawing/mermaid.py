"""A picture as a Mermaid flowchart, which GitHub, GitLab and many wikis draw."""

from __future__ import annotations

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing import words
from archcalc.render.drawing.colors import text_on
from archcalc.render.drawing.labels import label_lines
from archcalc.render.drawing.paint import Paint
from archcalc.render.drawing.picture import Cluster, DrawingNode, Item, Picture
from archcalc.words import printable


def to_mermaid(picture: Picture, paint: Paint, direction: str, labels: tuple[str, ...] | None) -> str:
    """Return the picture as a Mermaid flowchart."""
    ids: dict[Item, str] = {}
    lines = [f"flowchart {direction}"]
    for index, item in enumerate(picture.inputs.values()):
        ids[item] = f"i{index}"
        lines.append(f'  i{index}(["{_text(item.name)}<br/>{shape_text(item.output_shape)}"])')

    def fill(cluster: Cluster, inside: str, margin: str) -> None:
        for child in cluster.children:
            if isinstance(child, DrawingNode):
                ids[child] = f"n{len(ids)}"
                if child.joins:
                    shown = [words.sign(child), words.output(child)]
                else:
                    shown = label_lines(child, labels, inside, picture.network.groups)
                label = "<br/>".join(map(_text, shown)) or " "
                left, right = ('(["', '"])') if child.joins else ('["', '"]')
                lines.append(f"{margin}{ids[child]}{left}{label}{right}:::{_kind(paint.fill(child))}")
            else:
                lines.append(f'{margin}subgraph g{len(lines)}["{_text(words.cluster_title(child, inside))}"]')
                fill(child, child.path, margin + "  ")
                lines.append(f"{margin}end")

    fill(picture.root, "", "  ")
    for edge in picture.edges:
        arrow = "-.->" if edge.target.auxiliary else "-->"
        lines.append(f"  {ids[edge.source]} {arrow} {ids[edge.target]}")
    fills = dict.fromkeys(paint.fill(node) for node in picture.root.nodes())
    lines += [f"  classDef {_kind(fill)} fill:{fill},color:{text_on(fill)},stroke:#57606a" for fill in fills]
    return "\n".join(lines) + "\n"


def _kind(fill: str) -> str:
    return "c" + fill[1:]


def _text(text: str) -> str:
    """Return a text for inside Mermaid's quotes, with every special character as a character code."""
    return "".join(
        character if character.isalnum() or character in " ._-·×…→+/," else f"#{ord(character)};"
        for character in printable(text)
    )
