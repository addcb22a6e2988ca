"""Quizzes for Moodle and Canvas, read by the rules of their importers, written here a second time."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import pytest

from archcalc.homework.exercises.canvas import CANVAS, PACKAGE, QTI, canvas_package
from archcalc.homework.exercises.distractors import distractors
from archcalc.homework.exercises.moodle import moodle_xml
from archcalc.homework.exercises.quiz import LEVELS, quiz
from archcalc.ops.reads import Reads

FRACTIONS = {"100", "0"}
"""Those of Moodle's list that are used."""


@pytest.fixture(scope="module")
def exercises():
    return quiz(11, 25, ("conv", "pool", "linear", "rf", "chain"))


def test_moodle_takes_every_question(exercises):
    """`question/format/xml/format.php`: a name, a text, answers with a fraction; numbers without separators."""
    quiz_node = ElementTree.fromstring(moodle_xml(exercises, "Week 1").split("\n", 1)[1])
    asks = [ask for exercise in exercises for ask in exercise.asks]
    questions = [node for node in quiz_node.findall("question") if node.get("type") != "category"]
    assert len(questions) == len(asks)
    for node, ask in zip(questions, asks, strict=True):
        assert node.findtext("name/text").strip()
        assert node.findtext("questiontext/text")
        assert node.find("questiontext").get("format") == "html"
        answers = node.findall("answer")
        texts = [answer.findtext("text") for answer in answers]
        assert {answer.get("fraction") for answer in answers} <= FRACTIONS
        assert texts[-1] == "*"
        assert len(set(texts)) == len(texts)  # the first that matches counts
        assert answers[0].get("fraction") == "100"
        if node.get("type") == "numerical":
            value = ask.answer[0] if isinstance(ask.answer, tuple) else ask.answer
            assert texts[0] == str(value)
            assert all(text.lstrip("-").isdigit() for text in texts[:-1])
            assert {answer.findtext("tolerance") for answer in answers[:-1]} == {"0"}
        else:
            assert "x".join(map(str, ask.answer)) in texts
            assert node.findtext("usecase") == "0"
        assert all(answer.findtext("feedback/text") for answer in answers if answer.get("fraction") == "0")


@pytest.mark.parametrize("choices", [False, True])
def test_canvas_takes_the_package(exercises, choices):
    """The files that the manifest names, and items with the elements and the order that text2qti 0.8 writes."""
    with zipfile.ZipFile(io.BytesIO(canvas_package(exercises, "Week 1", choices))) as archive:
        manifest = ElementTree.fromstring(archive.read("imsmanifest.xml"))
        resources = manifest.findall(f".//{{{PACKAGE}}}resource")
        files = [node.get("href") for node in manifest.iter(f"{{{PACKAGE}}}file")]
        assert {*files, "imsmanifest.xml"} == set(archive.namelist())
        assert resources[0].get("type") == "imsqti_xmlv1p2"
        needed = resources[0].find(f"{{{PACKAGE}}}dependency").get("identifierref")
        assert needed == resources[1].get("identifier")
        root = ElementTree.fromstring(archive.read(files[0]))
        meta = ElementTree.fromstring(archive.read(files[1]))
    q = f"{{{QTI}}}"
    asks = [ask for exercise in exercises for ask in exercise.asks]
    items = root.findall(f"{q}assessment/{q}section/{q}item")
    assert meta.findtext(f"{{{CANVAS}}}points_possible") == f"{len(asks)}.0"
    assert len({item.get("ident") for item in items}) == len(items) == len(asks)
    for item, ask in zip(items, asks, strict=True):
        tags = [node.tag.removeprefix(q) for node in item]
        assert tags[:3] == ["itemmetadata", "presentation", "resprocessing"]
        assert set(tags[3:]) <= {"itemfeedback"}
        kind = item.findtext(f".//{q}fieldentry")
        scored = [node for node in item.iter(f"{q}respcondition") if node.find(f"{q}setvar") is not None]
        assert [node.findtext(f"{q}setvar") for node in scored] == ["100"]
        right = scored[0].findall(f".//{q}varequal")
        if kind == "numerical_question":
            number = str(ask.answer[0] if isinstance(ask.answer, tuple) else ask.answer)
            bounds = [scored[0].findtext(f".//{q}{bound}") for bound in ("vargte", "varlte")]
            assert [right[0].text, *bounds] == [number] * 3
        elif kind == "multiple_choice_question":
            labels = {node.get("ident"): node.findtext(f".//{q}mattext") for node in item.iter(f"{q}response_label")}
            assert len(set(labels.values())) == len(labels) > 1
            shown = labels[right[0].text].replace(",", "")
            assert shown == ("×".join(map(str, ask.answer)) if isinstance(ask.answer, tuple) else str(ask.answer))
            linked = {node.get("linkrefid") for node in item.iter(f"{q}displayfeedback")}
            assert linked == {node.get("ident") for node in item.iter(f"{q}itemfeedback")}
        else:
            assert "x".join(map(str, ask.answer)) in {node.text for node in right}


def test_distractors_are_usual_mistakes_and_wrong(exercises):
    found = [(exercise, ask, distractors(exercise, ask)) for exercise in exercises for ask in exercise.asks]
    assert sum(len(wrong) >= 2 for _, _, wrong in found) > len(found) * 0.7
    for _, ask, wrong in found:
        values = [value for _, value in wrong]
        assert ask.answer not in values
        assert len(set(values)) == len(values)
        assert all(diagnosis.says for diagnosis, _ in wrong)


@pytest.mark.parametrize("level", LEVELS)
def test_a_lecturer_would_set_it(level):
    """No 1×1 window has a dilation or padding; easy exercises have neither dilation nor groups."""
    for exercise in quiz(3, 60, ("conv", "rf"), level):
        for layer in exercise.network.layers:
            given = layer.op.given
            if given.get("kernel") == 1:
                assert given.get("dilation", 1) == 1
                assert given.get("padding", 0) == 0
            if level == "easy":
                assert given.get("dilation", 1) == given.get("groups", 1) == 1
            assert any(isinstance(look, Reads) for look in layer.op.access())


def test_the_commands(cli, tmp_path):
    assert cli("quiz", "--seed", "1", "--count", "3", "-o", tmp_path / "q.xml").code == 0
    assert cli("quiz", "--seed", "1", "--count", "3", "--choices", "-o", tmp_path / "q.zip").code == 0
    assert cli("quiz", "--choices").code == 2
    assert "hard" in cli("quiz", "--seed", "1", "--count", "1", "--difficulty", "hard").out
