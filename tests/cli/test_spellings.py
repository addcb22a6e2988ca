"""Names and values as people write them, help by topic, and the option that is to blame."""

from __future__ import annotations

import io
import sys

import click
import pytest

from archcalc.cli import TOPICS, _messages, summary
from archcalc.cli import cli as program
from archcalc.cli._choices import Chosen, OneOf
from archcalc.cli._completion import COMPLETED
from archcalc.language.library import bundled
from archcalc.words import as_written, bare

SPEC = "name: tiny\ninput: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: conv1}]\n"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ResNet-50", "resnet50"),
        ("resnet 50", "resnet50"),
        ("ViT-B/16", "vit_b_16"),
        ("MobileNetV2", "mobilenet_v2"),
        ("RegNetX-1.6GF", "regnet_x_1_6gf"),
        ("RegNetX-16GF", "regnet_x_16gf"),
        ("resnet#ResNet-18", "resnet18"),
    ],
)
def test_names_of_networks(cli, written, name):
    assert cli("table", written).out.startswith(f"{name} · ")


def test_every_bundled_name_is_another_one_without_separators():
    assert len({bare(name) for name in bundled()}) == len(bundled())


@pytest.mark.parametrize("dtype", ["fp16", "half", "Float16", "FP-16", "torch.float16"])
def test_names_of_types(cli, dtype):
    assert cli("table", "lenet5", "--dtype", dtype).out == cli("table", "lenet5", "--dtype", "float16").out


def test_words_of_options(cli):
    assert cli("table", "lenet5", "--convention", "FVCORE", "--columns", "Name,PARAMS").out.count("\n") > 3
    assert "adamw" in cli("memory", "lenet5", "--mode", "Training", "--optimizer", "AdamW").out
    assert "did you mean 'adamw'" in cli("memory", "lenet5", "--mode", "training", "--optimizer", "adamww").err


@pytest.mark.parametrize("word", ["-macs", "-MACs"])
def test_the_direction_of_an_order_is_kept(word):
    assert as_written(word, ["params", "macs"]) == "-macs"


def test_a_spec_on_standard_input(cli, monkeypatch):
    from archcalc.language.library import standard_input

    standard_input.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SPEC.encode())))
    assert cli("table", "-").out.startswith("tiny · ")
    standard_input.cache_clear()


def test_an_option_is_blamed_before_the_spec(cli, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    result = cli("table", path, "--input", "3,2,2")
    assert result.code == 2
    assert result.err.startswith("error[A200]: tiny does not fit --input 3,2,2; without it, the spec is valid")
    path.write_text(SPEC.replace("8, 8", "2, 2"))
    assert "does not fit" not in cli("table", path, "--input", "3,1,1").err
    assert "help: use --input 3,224,224" in cli("table", "alexnet", "--input", "224").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["table", "alexnet", "--colums", "x"],
            "error[A002]: unknown option '--colums'\nhelp: did you mean '--columns'?",
        ),
        (["table"], "error[A201]: missing argument 'NETWORK'\nhelp: for example: archcalc table"),
        (["table", "alexnet", "--foo"], "error[A002]: unknown option '--foo'\nhelp: see archcalc table --help"),
        (["table", "alexnet", "--batch", "x"], "error[A201]: --batch: 'x' is not a valid integer\n"),
        (
            ["table", "alexnet", "--depth"],
            "error[A201]: option '--depth' requires an argument\nhelp: see archcalc table --help",
        ),
        (["help", "tabel"], "error[A002]: unknown command 'tabel'\nhelp: did you mean 'table'?"),
    ],
)
def test_messages_of_the_command_line(cli, words, message):
    result = cli(*words)
    assert result.code == 2
    assert result.err.startswith(message)


def test_summaries_are_whole_and_topics_known(cli):
    text = cli("--help").out
    assert "...\n" not in text.partition("Options:")[2]
    for name in program.list_commands(None):
        command = program.get_command(None, name)
        assert command.topic in TOPICS
        assert 0 < len(summary(command)) <= 60
        assert f"\n  {command.example}\n" in text
        assert command.example.startswith(f"archcalc {name}")


def test_help_of_a_command(cli):
    assert cli("help", "table").out == cli("table", "--help").out
    assert cli("help").out == cli("--help").out


def test_archcalc_alone_says_three_things_to_try(cli):
    text = cli().out
    commands = [line.split("  ")[1] for line in text.splitlines() if line.startswith("  archcalc")]
    assert len(commands) == 3
    assert all(cli(*command.split()[1:3]).code in (0, 2) for command in commands[:2])


def test_messages_are_in_color_on_a_terminal_only(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = "a.yaml:1:2: error: no\n    1 | relu\n      | ^~~~\nhelp: yes"
    shown = _messages.colored(text, Terminal())
    assert "\x1b[31m\x1b[1merror\x1b[0m: no" in shown
    assert "\x1b[36m\x1b[1mhelp\x1b[0m: yes" in shown
    assert "^~~~\x1b[0m" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert _messages.colored(text, Terminal()) == text
    monkeypatch.delenv("NO_COLOR")
    assert _messages.colored(text, io.StringIO()) == text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["table", "resnet51"], "A002"),
        (["explain", "alexnet", "conf1"], "A002"),
        (["rf", "alexnet", "conv1", "--unit", "99,99"], "A200"),
        (["draw", "alexnet", "--style", "papr"], "A002"),
        (["table", "missing.yaml"], "A202"),
        (["check", "alexnet", "missing.csv"], "A202"),
        (["budget", "alexnet", "params <="], "A204"),
        (["budget", "alexnet", "params"], "A204"),
    ],
)
def test_every_message_has_a_code_that_help_explains(cli, words, code):
    result = cli(*words)
    assert result.code == 2
    assert f"error[{code}]: " in result.err
    assert cli("help", code).out.startswith(f"{code}: ")


def test_the_codes_are_those_of_lint_in_every_command(cli, spec_file):
    path = spec_file("input: [3, 8, 8]\nlayers: [{conv: 8, kernel: 9}]\n")
    for command in ("table", "lint", "draw"):
        result = cli(command, path)
        assert "error[A003]: the kernel spans 9" in result.out + result.err


def test_help_lists_the_codes_as_lint_does(cli):
    assert cli("help", "all").out == cli("lint", "--explain", "all").out
    assert "error[A002]: unknown code 'A999'" in cli("help", "A999").err


def options_with_choices():
    """Yield every option whose value is a word of a list, with its command."""
    for name in program.list_commands(None):
        for option in program.get_command(None, name).params:
            if isinstance(option, click.Option) and isinstance(option.type, (OneOf, Chosen)):
                yield name, option


@pytest.mark.parametrize(("command", "option"), options_with_choices(), ids=lambda one: getattr(one, "name", one))
def test_help_as_a_value_lists_the_choices(cli, command, option):
    if option.type is COMPLETED["fused"]:
        assert "inductor " in cli(command, option.opts[-1], "help").out
    result = cli(command, option.opts[-1], "help", "-o", "none.pdf")
    assert (result.code, result.err) == (0, "")
    listed = [line.split()[0] for line in result.out.splitlines()]
    assert listed == list(option.type.choices if isinstance(option.type, Chosen) else option.type.words())


def test_a_list_says_what_the_words_mean(cli):
    assert "Bytes of the outputs" in cli("explain", "--quantity", "help").out
    assert "adam       2 per weight" in cli("memory", "--optimizer", "help").out
    assert cli("table", "help").err.startswith("error[A002]: there is no network")


def test_wrong_choices_are_listed_once(cli):
    for words in (("table", "--format"), ("draw", "--labels"), ("table", "--layout"), ("explain", "--quantity")):
        err = cli(words[0], "alexnet", words[1], "zzz").err
        known = err.partition("help: use one of: ")[2].split()[0].strip(",")
        assert "unknown " in err
        assert err.count(known) == 1


def test_a_layer_is_suggested_by_the_end_of_its_name(cli):
    assert "did you mean 'transformer.h.0.attn'?" in cli("explain", "gpt2", "h.0.attn").err
    assert "did you mean 'conv1'?" in cli("explain", "alexnet", "conf1").err
    assert (
        "list the layers with: archcalc table 'resnet#resnet18' --all" in cli("explain", "resnet#resnet18", "zzz").err
    )


@pytest.mark.parametrize("name", program.list_commands(click.Context(program)))
def test_both_options_for_help_whatever_context_asks(name):
    command = program.get_command(click.Context(program), name)
    assert {*command.get_help_option_names(click.Context(command))} == {"-h", "--help"}
