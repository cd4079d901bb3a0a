"""The command line: one file per command, found by itself; heavy imports inside functions.

A command is a module in this folder with ``register(app)``; adding one is one new file. A name
that begins with an underscore is no command.
"""

import importlib
import pkgutil
import sys
from collections.abc import Sequence

import typer

from recoup.domain.errors import RecoupError


def build() -> typer.Typer:
    """Return the application with every command of this folder."""
    app = typer.Typer(
        name="recoup",
        help="Finds silent revenue leaks, asks, undoes their cause, and proves the recovery.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _root() -> None:
        """Give every command its own name, also while there is only one."""

    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}").register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Our own errors end in one plain line."""
    try:
        build()(args=list(arguments) if arguments is not None else None, standalone_mode=True)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except RecoupError as error:
        print(f"recoup: {error}", file=sys.stderr)
        return 1
    return 0
