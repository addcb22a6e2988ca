"""`archcalc serve` as a command: what it opens, what it refuses, and how it ends."""

from __future__ import annotations

import json
import socket

import pytest

import archcalc

SPEC = "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3}, relu]\n"


def first_of(server):
    """Return the text and the other things that a new page gets."""
    with server.socket() as connection:
        return json.loads(connection.recv(timeout=60))


def test_ctrl_c_ends_it_and_its_workers(serve):
    server = serve("alexnet")
    with server.socket() as connection:
        connection.recv(timeout=60)
        code, said = server.stop()
        assert (code, said.splitlines()[-1]) == (0, "ended")
    with socket.socket() as raw:
        assert raw.connect_ex(("127.0.0.1", server.port)) != 0


@pytest.mark.parametrize(
    ("network", "variant", "begins"),
    [("resnet50", "resnet50", "name: resnet\n"), ("lenet", "", "name: lenet\n"), ("own.yaml", "", SPEC)],
)
def test_what_is_opened(serve, tmp_path, network, variant, begins):
    (tmp_path / "own.yaml").write_text(SPEC)
    start = first_of(serve(network))
    assert (start["variant"], start["text"].startswith(begins), start["draft"]) == (variant, True, None)
    assert start["file"] == (network if network.endswith(".yaml") else None)


def test_an_imported_network_is_opened_as_its_spec(serve, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)).eval()
    file = str(tmp_path / "model.onnx")
    torch.onnx.export(module, (torch.zeros(1, 3, 8, 8),), file, dynamo=False, input_names=["image"])
    start = first_of(serve("model.onnx"))
    assert (start["file"], start["variant"]) == (None, "")
    # 8·(3·3·3 + 1) and 10·(288 + 1) parameters
    assert archcalc.loads(start["text"]).analyze().totals.params == 224 + 2890


def test_a_shared_link_is_opened_without_its_server(serve):
    start = first_of(serve("http://127.0.0.1:1/#s=q1YqSa0oUbJSAgA"))
    assert (start["text"], start["fragment"]) == ("", "s=q1YqSa0oUbJSAgA")


def test_a_text_that_is_not_saved_is_offered_once(serve, tmp_path):
    (tmp_path / "own.yaml").write_text(SPEC)
    server = serve("own.yaml")
    with server.socket() as connection:
        connection.recv(timeout=60)
        connection.send(json.dumps({"ask": "show", "number": 1, "text": SPEC + "# more\n"}))
        connection.recv(timeout=60)
        server.stop()
    again = serve("own.yaml")
    assert first_of(again)["draft"] == SPEC + "# more\n"
    with again.socket() as connection:
        connection.recv(timeout=60)
        connection.send(json.dumps({"ask": "save", "number": 1, "text": SPEC + "# more\n"}))
        assert json.loads(connection.recv(timeout=60))["kind"] == "saved"
    assert (tmp_path / "own.yaml").read_text() == SPEC + "# more\n"
    assert first_of(again)["draft"] is None


def test_what_cannot_be_opened_is_said(extra, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, said in {
        "missing.yaml": "there is no file missing.yaml",
        "alexnet2": "alexnet2",
        ".": "directory",
    }.items():
        result = cli("serve", "--no-browser", name)
        assert result.code == 2
        assert said in result.err


def test_a_port_that_is_taken_is_said(extra, cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = cli("serve", "--no-browser", "--port", str(taken.getsockname()[1]))
    assert result.code == 2
    assert "cannot listen on port" in result.err
    assert "help: leave out --port" in result.err


def test_without_the_extra_the_command_says_how_to_get_it(cli, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = cli("serve", "--no-browser")
    assert result.code == 2
    assert "pip install 'archcalc[serve]'" in result.err
