"""Altered and random bytes for decoders, drawn by Hypothesis."""

from hypothesis import strategies as st

Alteration = bytes | tuple[int, int, bytes]
"""Random bytes, or where the good ones stop, where they go on, and what stands between."""
BROKEN_PIECES = (b"[" * 5_000, b"9" * 5_000, b'"m1e999999999"', b"\\ud800")
PLACES = st.integers(0, 4_095)
"""Places in bytes; one behind their end counts from the start again."""
PIECES = st.one_of(st.binary(max_size=8), st.sampled_from(BROKEN_PIECES))
ALTERATIONS: st.SearchStrategy[Alteration] = st.one_of(
    st.binary(max_size=200), st.tuples(PLACES, PLACES, PIECES)
)
"""One strategy for all bytes: to build one for each example took half the time of the tests."""


def altered_bytes(good: bytes, alteration: Alteration) -> bytes:
    """Return random bytes, or good ones with a piece moved to another place."""
    if isinstance(alteration, bytes):
        return alteration
    start, end, piece = alteration
    return good[: start % (len(good) + 1)] + piece + good[end % (len(good) + 1) :]
