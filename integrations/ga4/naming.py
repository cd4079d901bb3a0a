"""What Google Analytics 4 calls the steps of a visit."""

from recoup.domain import storefront as s

NAMES = {
    "page_view": s.PAGE_VIEWED,
    "screen_view": s.PAGE_VIEWED,
    "view_item": s.PRODUCT_VIEWED,
    "add_to_cart": s.PRODUCT_ADDED,
    "begin_checkout": s.CHECKOUT_STARTED,
    "add_payment_info": s.PAYMENT_ATTEMPTED,
    "purchase": s.ORDER_COMPLETED,
    "exception": s.SCRIPT_ERROR,
}


def type_of(name: str) -> str:
    """Return the type of the contract; a name that is not known stays as it is."""
    return NAMES.get(name, name)


def os_of(name: str | None, version: str | None) -> str:
    """Return the operating system with its first number: ``iOS 16``."""
    parts = (version or "").split()
    digits = parts[-1].split(".")[0] if parts else ""
    return f"{name} {digits}".strip() if name and digits.isdigit() else (name or "")
