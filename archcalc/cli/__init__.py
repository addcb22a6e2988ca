"""The command line: one file per command, each imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click
from click.core import augment_usage_errors

from archcalc import __version__
from archcalc.cli._characters import spelled
from archcalc.cli._choices import Chosen
from archcalc.cli._completion import COMPLETED
from archcalc.discovery import module_names
from archcalc.errors import UnknownLayer

FAULT = "This is a fault of archcalc, not yours. Please report it, with the command and the lines above."
FAULT_CODE = 70
"""The exit code of a fault of archcalc's own (EX_SOFTWARE of sysexits.h)."""


class Helped(click.Command):
    """A command whose help is readable in every encoding."""

    def get_help(self, context: click.Context) -> str:
        """Return the help in characters that the terminal can print."""
        return spelled(super().get_help(context), sys.stdout.encoding)

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read the words of a command line; click's parser does not say of a mistake which command it is in."""
        with augment_usage_errors(context):
            return super().parse_args(context, args)


class Commands(Helped, click.Group):
    """A group that finds its commands in the files of this package that have a `command`."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands: the files whose names do not start with `_`.

        A file whose command is a word of Python ends with `_`.
        """
        return sorted(self._files())

    def _files(self) -> dict[str, str]:
        return {file.rstrip("_"): file for file in module_names(__path__) if not file.startswith("_")}

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        file = self._files().get(name)
        if file is None:
            return None
        command: click.Command = import_module(f"{__name__}.{file}").command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the arguments; for an unknown one, name the nearest."""
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            from archcalc.words import did_you_mean, help_line, printable

            word = printable(args[0]) if args else ""
            hint = did_you_mean(word, self.list_commands(context)) or help_line(
                "list the commands with: archcalc --help"
            )
            raise click.UsageError(f"unknown command '{word}'{hint}", context) from error

    def invoke(self, context: click.Context) -> Any:
        """Run the command; report an interrupt in one line."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            from archcalc.cli._streams import remark

            remark("interrupted")
            return 130

    def _by_topic(self, context: click.Context) -> dict[str, list[tuple[str, click.Command]]]:
        """Return the commands of each topic, in the order of `TOPICS`; a topic that is not there comes last."""
        found: dict[str, list[tuple[str, click.Command]]] = {topic: [] for topic in TOPICS}
        for name in self.list_commands(context):
            command = self.get_command(context, name)
            if command is not None and not command.hidden:
                found.setdefault(getattr(command, "topic", OTHER), []).append((name, command))
        return {topic: commands for topic, commands in found.items() if commands}

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by topic, each with its whole summary."""
        for topic, commands in self._by_topic(context).items():
            with formatter.section(TOPICS.get(topic, topic)):
                formatter.write_dl([(name, summary(command)) for name, command in commands], col_max=12)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write an example of every command, each on one line, so that it can be pasted."""
        with formatter.section("Examples"):
            for commands in self._by_topic(context).values():
                for _, command in commands:
                    write_example(formatter, getattr(command, "example", ""))


TOPICS = {
    "look": "Look at a network",
    "explain": "Explain its numbers",
    "draw": "Draw it",
    "check": "Check and measure",
    "teach": "Teach",
    "design": "Design and convert",
}
"""What one wants from a command, as the help groups them; the values are the headings."""
OTHER = "More"


def summary(command: click.Command) -> str:
    """Return the summary of a command in the list: the one that it has for this, or its first sentence."""
    return command.short_help or (command.help or "").strip().split("\n\n")[0].replace("\n", " ")


def write_example(formatter: click.HelpFormatter, example: str) -> None:
    """Write an example on one line, however narrow the terminal is."""
    if example:
        formatter.write(f"{' ' * formatter.current_indent}{example}\n")


HELP_OPTIONS = ["-h", "--help"]


class Command(Helped):
    """A command with a topic and an example for the help, whose networks and layers a shell completes."""

    def __init__(self, *args: Any, example: str = "", topic: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.topic = topic
        for parameter in self.params:
            if type(parameter.type) is click.types.StringParamType:
                parameter.type = COMPLETED.get(parameter.name or "", parameter.type)
            elif type(parameter.type) is click.Choice:
                parameter.type = Chosen(parameter.type.choices)

    def get_help_option_names(self, context: click.Context) -> list[str]:
        """Return the options for help: Click makes them once, so they must not depend on the first context."""
        return HELP_OPTIONS

    def invoke(self, context: click.Context) -> Any:
        """Run the command, with a line on a terminal if it takes long.

        A message that says which command lists the layers gets the name of the network.
        """
        from archcalc.cli._waiting import waiting, without_waiting

        network = context.params.get("network")
        words = [context.info_name or "", *context.params.get("networks", ()), *([network] if network else [])]
        is_typed = sys.stdin is not None and sys.stdin.isatty() and "-" in words
        try:
            with without_waiting() if is_typed else waiting(" ".join(words)):
                return super().invoke(context)
        except UnknownLayer as error:
            import shlex

            if network is None:
                raise
            raise UnknownLayer(str(error).replace("table NETWORK", f"table {shlex.quote(network)}")) from error

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        super().format_epilog(context, formatter)
        if self.example:
            with formatter.section("Example"):
                write_example(formatter, self.example)


WELCOME = """\
archcalc computes what a neural network costs before you run it. Three things to try:

  archcalc table alexnet                            every layer with its shape and its costs
  archcalc explain alexnet conv1                    the formulas behind the numbers of a layer
  archcalc draw resnet50 --depth 2 -o resnet50.svg  a picture

archcalc list shows the networks that are there, archcalc --help all commands, archcalc help A002 what a code means.
"""


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": HELP_OPTIONS, "max_content_width": 100},
)
@click.version_option(__version__, prog_name="archcalc")
@click.pass_context
def cli(context: click.Context) -> None:
    """Compute shapes, costs and receptive fields of neural networks by formula, without running them."""
    if context.invoked_subcommand is None:
        from archcalc.cli._streams import write

        write(WELCOME, None)


def main() -> None:
    """Run the command line. What a user did wrong is said in words; a fault of archcalc's keeps its traceback."""
    from archcalc.cli._streams import drop_output, prepare, remark
    from archcalc.errors import UserError

    prepare()
    try:
        # A command returns its exit code, or nothing for 0.
        code = cli.main(standalone_mode=False) or 0
        sys.stdout.flush()
    except click.ClickException as error:
        from archcalc.cli._messages import refusal

        remark(refusal(error))
        code = error.exit_code
    except UserError as error:
        remark(error.report())
        code = error.exit_code
    except OSError as error:
        remark(_file_error(error))
        drop_output()
        code = UserError.exit_code
    except RecursionError:  # the limits keep specs from it, unless somebody has raised them
        remark("error[A200]: this is nested too deep: with a limit raised, it is more than Python can hold")
        code = UserError.exit_code
    except Exception:
        import traceback

        remark(f"{traceback.format_exc()}\n{FAULT}")
        code = FAULT_CODE
    sys.exit(code)


def _file_error(error: OSError) -> str:
    from archcalc.words import printable

    file = "" if error.filename is None else f": {printable(str(error.filename))}"
    return f"error[A202]: {error.strerror or error}{file}"
