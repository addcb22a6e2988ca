"""The command line: one file per command, each imported only when it is called."""

from __future__ import annotations

import io
import pkgutil
import sys
from importlib import import_module
from typing import Any

import click

from archcalc import __version__
from archcalc.cli._characters import spelled
from archcalc.cli._completion import COMPLETED

FAULT = "This is a fault of archcalc, not yours. Please report it, with the command and the lines above."
FAULT_CODE = 70
"""The exit code of a fault of archcalc's own (EX_SOFTWARE of sysexits.h)."""


class Helped(click.Command):
    """A command whose help is readable in every encoding."""

    def get_help(self, context: click.Context) -> str:
        """Return the help in characters that the terminal can print."""
        return spelled(super().get_help(context), sys.stdout.encoding)


class Commands(Helped, click.Group):
    """A group that finds its commands in the files of this package that have a `command`."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands: the files whose names do not start with `_`.

        A file whose command is a word of Python ends with `_`.
        """
        return sorted(self._files())

    def _files(self) -> dict[str, str]:
        files = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
        return {file.rstrip("_"): file for file in files}

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command of that name."""
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
            context.exit(130)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write an example of every command."""
        with formatter.section("Examples"):
            for name in self.list_commands(context):
                command = self.get_command(context, name)
                example = getattr(command, "example", None)
                if example:
                    formatter.write_text(example)


class Command(Helped):
    """A command with an example for the help, whose networks and layers a shell completes."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        for parameter in self.params:
            if isinstance(parameter.type, click.types.StringParamType):
                parameter.type = COMPLETED.get(parameter.name or "", parameter.type)
        if example and not self.epilog:
            self.epilog = f"Example: {example}"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="archcalc")
def cli() -> None:
    """Compute shapes, costs and receptive fields of neural networks by formula, without running them."""


def main() -> None:
    """Run the command line. What a user did wrong is said in words; a fault of archcalc's keeps its traceback."""
    from archcalc.cli._streams import drop_output, prepare, remark
    from archcalc.errors import UserError

    prepare()
    try:
        # A command returns nothing; click returns the code of `Context.exit`.
        code = cli.main(standalone_mode=False) or 0
        sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        remark(shown.getvalue().rstrip("\n"))
        code = error.exit_code
    except UserError as error:
        remark(error.report())
        code = error.exit_code
    except OSError as error:
        remark(_file_error(error))
        drop_output()
        code = UserError.exit_code
    except RecursionError:  # the limits keep specs from it, unless somebody has raised them
        remark("error: this is nested too deep: with a limit raised, it is more than Python can hold")
        code = UserError.exit_code
    except Exception:
        import traceback

        remark(f"{traceback.format_exc()}\n{FAULT}")
        code = FAULT_CODE
    sys.exit(code)


def _file_error(error: OSError) -> str:
    from archcalc.words import printable

    file = "" if error.filename is None else f": {printable(str(error.filename))}"
    return f"error: {error.strerror or error}{file}"
