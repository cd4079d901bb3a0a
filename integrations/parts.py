"""Values from outside as parts of an address: quoted, so that they stay one part."""

from urllib.parse import quote


def path_part(text: str) -> str:
    """Return the text as one segment of a path; ``..`` and ``/`` lose their meaning."""
    return "%2E%2E" if text == ".." else quote(text, safe="")
