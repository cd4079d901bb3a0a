"""``recoup version``: which Recoup this is."""

import typer

from recoup import __version__


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def version() -> None:
        """Print the version.

        Example: recoup version
        """
        print(__version__)
