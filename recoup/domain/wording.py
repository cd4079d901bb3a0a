"""How internal names are said to people, the same on every surface."""


def words(name: object) -> str:
    """Return an internal name as words: ``checkout_started->order_completed`` with an arrow."""
    text = str(name).replace("->", " \N{RIGHTWARDS ARROW} ").replace("_", " ")
    return text.removeprefix("missing:") + " missing" if text.startswith("missing:") else text
