"""`Retry-After` header parser."""


def parse_retry_after(header: str | None) -> float | None:
    """Return the seconds; None when the header is absent or a date, which neither vendor sends."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
