"""A small run of the GSUP fuzz (`python -m tests.security.fuzz_gsup` is the large one)."""

from tests.security.fuzz_gsup import run_fuzz


async def test_every_broken_frame_ends_in_a_text_or_is_counted_and_none_raises() -> None:
    results = await run_fuzz(10_000, 7)
    names = ("begins", "key", "ended", "apology", "malformed", "screen", "last text", "identity or pong")
    assert min(results[name] for name in names) >= 20 and set(results) == set(names)
    assert results["screen"] + results["last text"] == sum(
        results[name] for name in ("begins", "key", "apology")
    )
