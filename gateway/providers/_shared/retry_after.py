"""`Retry-After`, as both vendors may send it."""


def retry_after(header: str | None) -> float | None:
    """Seconds; None when the header is absent or is a date, which neither vendor writes."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
