"""Exercises as a QTI 1.2 package for Canvas: numerical questions, short answers for shapes, or multiple choice.

The elements are those that Canvas's importer reads (IMS Question and Test Interoperability 1.2; `question_type` and
`points_possible` in the metadata of an item). A numerical answer is exact: both bounds are the number itself.
"""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from collections.abc import Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from archcalc.homework.exercises.distractors import distractors
from archcalc.homework.exercises.moodle import prompt, spellings
from archcalc.homework.exercises.quiz import Ask, Exercise
from archcalc.homework.exercises.quiz_document import question
from archcalc.ops.vocabulary import shape_text
from archcalc.words import printable

QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
PACKAGE = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
CANVAS = "http://canvas.instructure.com/xsd/cccv1p0"
TIME = (1980, 1, 1, 0, 0, 0)


def canvas_package(exercises: Sequence[Exercise], title: str, choices: bool = False) -> bytes:
    """Return the zip archive that Canvas imports as a quiz; with ``choices``, of multiple-choice questions."""
    name = "q" + hashlib.sha256(title.encode()).hexdigest()[:24]
    asks = [(exercise, ask) for exercise in exercises for ask in exercise.asks]
    root = Element("questestinterop", xmlns=QTI)
    assessment = SubElement(root, "assessment", ident=name, title=printable(title))
    section = SubElement(assessment, "section", ident="root_section")
    for number, (exercise, ask) in enumerate(asks, 1):
        section.append(_item(exercise, ask, f"{name}i{number}", choices))
    files = {
        "imsmanifest.xml": _manifest(name),
        f"{name}/{name}.xml": root,
        f"{name}/assessment_meta.xml": _meta(name, title, len(asks)),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, node in files.items():
            ElementTree.indent(node)
            content = b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(node, encoding="utf-8")
            archive.writestr(zipfile.ZipInfo(path, TIME), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _item(exercise: Exercise, ask: Ask, ident: str, choices: bool) -> Element:
    wrong = distractors(exercise, ask) if choices else []
    kind = "multiple_choice_question" if wrong else "short_answer_question" if ask.is_shape else "numerical_question"
    item = Element("item", ident=ident, title=printable(f"{exercise.number}. {question(ask)}")[:250])
    fields = SubElement(SubElement(item, "itemmetadata"), "qtimetadata")
    for label, value in (("question_type", kind), ("points_possible", "1.0")):
        field = SubElement(fields, "qtimetadatafield")
        SubElement(field, "fieldlabel").text = label
        SubElement(field, "fieldentry").text = value
    presentation = SubElement(item, "presentation")
    _material(presentation, prompt(exercise, ask))
    processing = Element("resprocessing")
    outcomes = SubElement(processing, "outcomes")
    SubElement(outcomes, "decvar", maxvalue="100", minvalue="0", varname="SCORE", vartype="Decimal")
    if wrong:
        feedback = _choices(presentation, processing, ask, wrong, ident)
    else:
        feedback = []
        response = SubElement(presentation, "response_str", ident="response1", rcardinality="Single")
        field = SubElement(response, "render_fib", {} if ask.is_shape else {"fibtype": "Decimal"})
        SubElement(field, "response_label", ident="answer1")
        _exact(processing, ask)
    item.append(processing)
    item.extend(feedback)
    return item


def _exact(processing: Element, ask: Ask) -> None:
    """Write the condition of an answer that is right to the unit."""
    condition, answer = _scored(processing), ask.answer
    if isinstance(answer, tuple) and ask.is_shape:
        for text in spellings(answer):
            SubElement(condition, "varequal", respident="response1").text = text
        return
    number = str(answer[0] if isinstance(answer, tuple) else answer)
    either = SubElement(condition, "or")
    SubElement(either, "varequal", respident="response1").text = number
    both = SubElement(either, "and")
    SubElement(both, "vargte", respident="response1").text = number
    SubElement(both, "varlte", respident="response1").text = number


def _choices(
    presentation: Element,
    processing: Element,
    ask: Ask,
    wrong: Sequence[tuple[Any, Any]],
    ident: str,
) -> list[Element]:
    """Write the choices in a random order that the question decides, and return the feedback on each."""
    options = [(_shown(ask.answer), ""), *((_shown(value), diagnosis.says) for diagnosis, value in wrong)]
    order = list(enumerate(options))
    random.Random(ident).shuffle(order)
    response = SubElement(presentation, "response_lid", ident="response1", rcardinality="Single")
    render = SubElement(response, "render_choice")
    feedback = []
    for index, (text, says) in order:
        label = SubElement(render, "response_label", ident=str(1000 + index))
        _material(label, escape(text), plain=True)
        if says:
            link = SubElement(processing, "respcondition", {"continue": "Yes"})
            variable = SubElement(SubElement(link, "conditionvar"), "varequal", respident="response1")
            variable.text = str(1000 + index)
            SubElement(link, "displayfeedback", feedbacktype="Response", linkrefid=f"{1000 + index}_fb")
            node = Element("itemfeedback", ident=f"{1000 + index}_fb")
            _material(SubElement(node, "flow_mat"), escape(says))
            feedback.append(node)
    SubElement(_scored(processing), "varequal", respident="response1").text = "1000"
    return feedback


def _scored(processing: Element) -> Element:
    """Return the condition of the right answer."""
    condition = SubElement(processing, "respcondition", {"continue": "No"})
    variable = SubElement(condition, "conditionvar")
    SubElement(condition, "setvar", action="Set", varname="SCORE").text = "100"
    return variable


def _shown(value: Any) -> str:
    return shape_text(value) if isinstance(value, tuple) else f"{value:,}"


def _material(node: Element, text: str, plain: bool = False) -> None:
    material = SubElement(node, "material")
    SubElement(material, "mattext", texttype="text/plain" if plain else "text/html").text = text


def _manifest(name: str) -> Element:
    manifest = Element("manifest", identifier=f"{name}m", xmlns=PACKAGE)
    SubElement(manifest, "organizations")
    resources = SubElement(manifest, "resources")
    quiz = SubElement(resources, "resource", identifier=name, type="imsqti_xmlv1p2")
    SubElement(quiz, "file", href=f"{name}/{name}.xml")
    SubElement(quiz, "dependency", identifierref=f"{name}d")
    kind = "associatedcontent/imscc_xmlv1p1/learning-application-resource"
    meta = SubElement(resources, "resource", identifier=f"{name}d", type=kind, href=f"{name}/assessment_meta.xml")
    SubElement(meta, "file", href=f"{name}/assessment_meta.xml")
    return manifest


def _meta(name: str, title: str, points: int) -> Element:
    quiz = Element("quiz", identifier=name, xmlns=CANVAS)
    values = {"title": printable(title), "quiz_type": "practice_quiz", "points_possible": f"{points}.0"}
    for key, value in values.items():
        SubElement(quiz, key).text = value
    return quiz
