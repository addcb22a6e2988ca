"""A homework on AlexNet, and what a student hands in."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.homework.answers.numbers import AnswerTolerance
from archcalc.homework.key import AnswerKey
from archcalc.homework.marking.grading import Grader
from archcalc.homework.questions import asked, points_of


@pytest.fixture(scope="session")
def make_key():
    """`make_key("alexnet", "params,flops")`: the answer key of a homework, which is made once."""

    known = {}

    def make(network="alexnet", ask="output,memory,params,flops", points="", convention="lecture", batch=1, **settings):
        index = str(network), ask, points, convention, batch, str(settings)
        if index not in known or not isinstance(network, str):
            opened = archcalc.load(network) if isinstance(network, str) else network
            questions = asked(ask)
            analysis = opened.analyze(convention=convention, batch=batch)
            known[index] = AnswerKey(analysis, questions, points_of(points, questions), **settings)
        return known[index]

    return make


@pytest.fixture
def grade(tmp_path, make_key):
    """`grade("layer,params\\nconv1,23296")`: the graded sheet of a file with this content."""

    def run(content, name="answers.csv", tolerance="digits", reveal=True, key=None, per_mistake=True, **homework):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        grader = Grader(
            key or make_key(**homework), AnswerTolerance.parse(tolerance), reveal=reveal, per_mistake=per_mistake
        )
        return grader.grade(path)

    return run


@pytest.fixture
def one(grade):
    """`one("params", "23297")`: the cell of conv1 of AlexNet, where this is written under a heading."""

    def run(heading, written, layer="conv1", ask=None, **homework):
        sheet = grade(f'layer\t{heading}\n{layer}\t"{written}"\n', ask=ask or heading.partition(" ")[0], **homework)
        assert sheet.problem is None
        return next(row for row in sheet.rows if row.name == layer).cells[0]

    return run
