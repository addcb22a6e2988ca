"""Nobody but this user's browser talks to the server, and a hostile message changes nothing."""

from __future__ import annotations

import json
import random
import socket
import urllib.error
import urllib.request

import pytest

from archcalc.serve.view import PANELS

SPEC = "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3}, relu]\n"


def get(server, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def answers_of(connection, message):
    """Send a message; return the answers to it by kind: a table with its panel, or one that is alone."""
    connection.send(json.dumps(message))
    found = {}
    while True:
        answer = json.loads(connection.recv(timeout=60))
        if answer.get("number") == message["number"]:
            found[answer["kind"]] = answer
            if answer["kind"] not in ("table", "panel") or found.keys() >= {"table", "panel"}:
                return found


def shown(connection, text, number=1, **more):
    return answers_of(connection, {"ask": "show", "number": number, "text": text, **more})


def test_the_page_needs_the_token(server):
    assert get(server, f"/?token={server.token}")[0] == 200
    for query in ("", "?token=", "?token=x", f"?token={server.token}x", f"?token={server.token}&token=x"):
        status, _, body = get(server, f"/{query}")
        assert (status, server.token.encode() in body) == (403, False)


def test_a_request_for_another_host_is_refused(server):
    # A name of the attacker's that was turned to 127.0.0.1 (DNS rebinding).
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", f"127.0.0.1:{server.port}.evil.example"):
        for path in (f"/?token={server.token}", "/own/page.js", "/ace/ace.js"):
            assert get(server, path, Host=host)[0] == 400


def test_every_answer_has_the_policy(server):
    for path in (f"/?token={server.token}", "/own/page.js", "/own/none.js", "/ace/ace.js", "/none"):
        _, headers, _ = get(server, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe-eval" not in policy
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/own/../app.py", "/own/%2e%2e/app.py", "/ace/../../__init__.py", "/ace/css/..%2f..%2fx", "/ace//etc/passwd"],
)
def test_no_other_file_is_served(server, path):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"404"


def test_it_listens_on_this_machine_only(server):
    own = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in {*own, "127.0.0.2"} - {"127.0.0.1"}:
        with socket.socket() as raw:
            raw.settimeout(2)
            assert raw.connect_ex((address, server.port)) != 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": None},
        {"origin": "https://127.0.0.1"},
        {"token": "x"},
        {"token": ""},
        {"additional_headers": {"Host": "evil.example"}},
    ],
    ids=str,
)
def test_a_socket_of_another_site_is_refused(server, wrong):
    from websockets.exceptions import InvalidMessage, InvalidStatus

    with pytest.raises((InvalidStatus, InvalidMessage)), server.socket(**wrong):
        pass


def test_a_spec_of_a_link_reads_no_file(serve, tmp_path):
    (tmp_path / "own.yaml").write_text("extends: base.yaml\n")
    (tmp_path / "base.yaml").write_text(SPEC)
    server = serve("own.yaml")
    with server.socket() as connection:
        connection.recv(timeout=60)
        assert "table" in shown(connection, "extends: base.yaml\n", 1)
        refused = shown(connection, "extends: base.yaml\n", 2, shared=True)
        assert "extends can name only bundled networks here" in refused["mistakes"]["marks"][0]["says"]
        for number, name in enumerate(("../base.yaml", "/etc/passwd", str(tmp_path / "base.yaml"), "base.yaml#x"), 3):
            assert "mistakes" in shown(connection, f"extends: {name}\n", number, shared=True)
        # Neither does it write one.
        saved = answers_of(connection, {"ask": "save", "number": 9, "text": "stolen", "shared": True})
        assert "came by a link" in saved["refused"]["says"]
    assert (tmp_path / "own.yaml").read_text() == "extends: base.yaml\n"


def test_what_a_spec_of_a_link_names_as_its_reference_is_never_run(serve, tmp_path):
    (tmp_path / "evil.py").write_text("open('run', 'w').close()\ndef model(): pass\n")
    server = serve("alexnet")
    text = f"{SPEC}reference: evil.py:model\n"
    with server.socket() as connection:
        connection.recv(timeout=20)
        for number, panel in enumerate(PANELS, 1):
            shown(connection, text, number, shared=True, view={"panel": panel, "layer": "conv1"})
        marks = shown(connection, text, 40, shared=True)["table"]["marks"]
        assert [(mark["line"], mark["warning"]) for mark in marks] == [(2, True)]
        assert marks[0]["says"] == "refused: a reference that came by a link, such as 'evil.py:model', is never run"
        assert shown(connection, text, 41)["table"]["marks"] == []
        for number, name in enumerate(("report", "csv", "svg"), 50):
            answers_of(connection, {"ask": "download", "number": number, "text": text, "name": name, "shared": True})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["quiz", "worksheet"])
def test_the_answers_of_an_exercise_stay_with_the_server(server, kind):
    """The page gets questions, and after grading verdicts and hints: never a number that was not written."""
    from archcalc.homework.exercises.quiz import quiz

    view = {"panel": "exercise", "exercise": kind, "seed": 4, "asked": "params"}
    numbers = [f"{ask.answer:,}" for each in quiz(4, 5) for ask in each.asks if isinstance(ask.answer, int)]
    secret = [each for each in numbers if len(each) > 3] if kind == "quiz" else ["23,296", "0.023"]
    assert secret
    with server.socket() as connection:
        connection.recv(timeout=20)
        text = "input: [3, 64, 64]\nlayers: [{conv: 64, kernel: 11}]\n"  # 64·(3·11·11 + 1) parameters
        asked = shown(connection, text, 1, view=view)["panel"]
        fields = [f"{row}.{column}" for row in range(9) for column in range(20)]
        message = {"ask": "grade", "number": 2, "text": text, "view": view, "answers": dict.fromkeys(fields, "7")}
        graded = answers_of(connection, message)["grades"]
    assert set(asked) == {"kind", "number", "panel", "html", "exercise", "asked"}
    assert set(graded) == {"kind", "number", "verdicts", "says"}
    assert "wrong" in {verdict for verdict, _ in graded["verdicts"].values()}
    for said in (json.dumps(asked), json.dumps(graded, ensure_ascii=False)):
        assert not [number for number in secret if number in said or number.replace(",", "") in said]


def test_a_name_is_text_in_the_page(server):
    hostile = "<img src=x onerror=alert(1)>"
    with server.socket() as connection:
        connection.recv(timeout=60)
        found = shown(connection, f'name: "{hostile}"\n{SPEC[:-8]}, {{relu: null, name: "{hostile}"}}]\n', 1)
        found |= shown(connection, f'name: "{hostile}"\n{SPEC}', 2, view={"panel": "memory"})
    assert "<img" not in found["table"]["html"]
    assert "&lt;img" in found["table"]["html"]
    assert "<img" not in found["panel"]["html"]


def test_what_takes_too_much_ends_alone(server):
    """The limits of the language hold whatever the environment says, and other tabs are served meanwhile."""
    heavy = "input: [3, 8, 8]\nlayers:\n  - repeat: 19000\n    conv: 3\n    kernel: 1\n"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
    )
    with server.socket() as one, server.socket() as other:
        one.recv(timeout=60), other.recv(timeout=60)
        one.send(json.dumps({"ask": "show", "number": 1, "text": heavy, "view": {"panel": "formula"}}))
        assert "table" in shown(other, SPEC, 1)
        assert "mistakes" in shown(other, bomb, 2)
        assert "table" in shown(other, SPEC, 3)


def hostile_messages(count):
    """Yield messages that no page sends: broken, huge, deep, of unknown kinds, and valid ones with a value changed."""
    draw = random.Random(23)
    wrong = [None, True, -1, 1e400, [], {}, "x" * 5000, {"a": {}}, [[]] * 50, "\ud800", "../../etc/passwd", 10**30, ""]
    view = {"variant": "", "settings": {"a": "1"}, "sizes": {"input.1": 9}, "batch": 1, "columns": "name", "depth": 1}
    view |= {"panel": "memory", "layer": "conv1", "heat": "", "lets": "", "other": "", "assertions": "", "exact": False}
    view |= {"style": "graph", "exercise": "quiz", "seed": 1, "topic": "conv", "asked": "params"}
    good = {
        "ask": "show",
        "number": 1,
        "text": SPEC,
        "view": view,
        "shared": False,
        "line": 0,
        "column": 0,
        "name": "csv",
        "answers": {"1.0": "7"},
    }
    broken = [
        "",
        "{",
        "[" * 5000,
        "null",
        "1",
        '"x"',
        "{}",
        "\0",
        '{"ask": "show"}',
        '{"number": ' + "9" * 5000 + "}",
        "NaN",
    ]
    for place in range(count):
        if place % 4 == 0:
            yield draw.choice(broken)
            continue
        message = json.loads(json.dumps(good))
        message["ask"] = draw.choice(["show", "complete", "download", "open", "eval", "save", "grade"])
        part = message if place % 2 else message["view"]
        part[draw.choice([*part, "unknown", "__class__", "path"])] = draw.choice(wrong)
        if place % 7 == 0:
            text = list(SPEC)
            text[draw.randrange(len(text))] = draw.choice("{}[]:&*!|>%@`\0\u2028")
            message["text"] = "".join(text)
        yield json.dumps(message)


def test_a_thousand_hostile_messages(serve, tmp_path):
    server = serve("alexnet")
    before = sorted(tmp_path.iterdir())
    with server.socket() as connection:
        connection.recv(timeout=60)
        for message in hostile_messages(1000):
            connection.send(message)
        connection.send(json.dumps({"ask": "show", "number": 77, "text": SPEC}))
        answer = {}
        while (answer.get("number"), answer.get("kind")) != (77, "table"):
            answer = json.loads(connection.recv(timeout=60))
            assert "fault of archcalc" not in answer.get("says", ""), answer
    assert sorted(each for each in tmp_path.iterdir() if each.name != "cache") == before
    code, said = server.stop()
    assert (code, "Traceback" in said) == (0, False), said


def test_a_message_that_is_too_long_closes_the_tab_only(server):
    from websockets.exceptions import ConnectionClosed

    with server.socket() as connection:
        connection.recv(timeout=60)
        with pytest.raises(ConnectionClosed):
            answers_of(connection, {"ask": "show", "number": 1, "text": "x" * (5 << 20)})
    with server.socket() as connection:
        connection.recv(timeout=60)
        assert "table" in shown(connection, SPEC)
