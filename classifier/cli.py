"""The `sluice` command: a root with `--version`; the packages hang their commands onto it.

Each package names a function `register(app)` in the entry-point group `sluice.commands`. They are loaded when
the command runs, not when this module is imported, and none may import a heavy library at its top level:
`sluice --help` answers before torch, mitmproxy, pyarrow or onnxruntime could have been loaded.
"""

import sys
from importlib.metadata import entry_points, version
from typing import Annotated, Final

import typer

from classifier.errors import UserError

GROUP: Final = "sluice.commands"


def build() -> typer.Typer:
    """The root application with every installed package's commands."""
    app = typer.Typer(
        name="sluice",
        help="A forward proxy whose traffic filter learns the site it protects.",
        no_args_is_help=True,
        add_completion=False,
        # Plain help: the boxed one loads half of rich, which takes longer than everything else at start.
        rich_markup_mode=None,
        # A bug keeps the plain traceback: the boxed one hides frames and can print local values, secrets among them.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.value):
        entry.load()(app)
    return app


def main() -> None:
    """Run the command line. A `UserError` becomes one line on stderr and its exit code."""
    try:
        build()()
    except UserError as error:
        print(f"sluice: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sluice {version('sluice-proxy')}")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Carries `--version`; the help text is the application's."""


if __name__ == "__main__":
    main()
