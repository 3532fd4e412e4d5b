"""Secret strength: refuses documented samples, repeated characters and short tokens outside the demo."""

import math
import re
from collections import Counter
from itertools import pairwise

MIN_TOKEN_LENGTH = 22
"""Characters of a webhook path token: 128 bits in base64url (`secrets.token_urlsafe(16)`)."""
MIN_CREDENTIAL_LENGTH = 16
"""Characters of a credential that a provider issues; the shortest known has 32."""
MIN_ENTROPY_BITS = 48.0
"""Length times the Shannon entropy of the characters; a random hexadecimal word of 16 has about 50."""
SAMPLE = re.compile(
    r"\.\.\.|…|(?<![a-z0-9])(demo|sample|example|placeholder|change[- _]?me|unguessable|random)(?![a-z0-9])",
    re.IGNORECASE,
)
"""What samples in documents and the demo's own secrets are made of."""
PATH_SAFE = re.compile(r"[A-Za-z0-9._~-]+")
"""Characters that stand for themselves in a URL path (RFC 3986, unreserved)."""
SHORT_SAMPLES = frozenset({"secret", "password", "test", "smppclie"})
"""Passwords of at most 8 characters that documents and simulators of SMPP use."""
ADVICE = "make one with `openssl rand -hex 32`"


def find_weakness(secret: str, minimum: int = MIN_CREDENTIAL_LENGTH) -> str:
    """Return why a secret is not acceptable outside the demo, without repeating it; empty if it is."""
    if fault := find_sample(secret):
        return fault
    if len(secret) < minimum:
        return f"must have {minimum} characters or more; {ADVICE}"
    if _is_repetitive(secret) or _entropy_bits(secret) < MIN_ENTROPY_BITS:
        return f"can be guessed: its characters repeat or follow a pattern; {ADVICE}"
    return ""


def find_sample(secret: str) -> str:
    """Return that a secret is the sample of a document or of the demo; empty if it is not."""
    if SAMPLE.search(secret) or secret.casefold() in SHORT_SAMPLES:
        return f"is a sample from a document or the demo; {ADVICE}"
    return ""


def find_token_weakness(token: str) -> str:
    """Return why a secret part of a URL path is not acceptable outside the demo; empty if it is."""
    if not PATH_SAFE.fullmatch(token):
        return f"stands in a URL path, so only letters, digits, '-', '_', '.' and '~' can be in it; {ADVICE}"
    return find_weakness(token, MIN_TOKEN_LENGTH)


def _entropy_bits(text: str) -> float:
    total = len(text)
    return -sum(count * math.log2(count / total) for count in Counter(text).values())


def _is_repetitive(text: str) -> bool:
    """Return whether a shorter text is repeated, or most characters follow their neighbour by one step."""
    steps = Counter(ord(second) - ord(first) for first, second in pairwise(text))
    return text in (text + text)[1:-1] or max(steps.values(), default=0) > len(text) / 2
