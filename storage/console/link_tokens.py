"""Links in shown texts: their tokens are masked, since whoever has one can open the page."""

import re

_LINK_TOKEN = re.compile(r"#[A-Za-z0-9_-]{12,}")


def mask_link_tokens(text: str) -> str:
    """Return the text with the token of each link masked."""
    return _LINK_TOKEN.sub("#***", text)
