"""Typed text: what a subscriber typed, which may be a secret, as a string whose repr hides it."""

from typing import SupportsIndex


class TypedText(str):
    """A string whose repr shows nothing: exception hooks print the repr of every frame's local variables.

    Its parts hide themselves, too. Joined with other strings or formatted it becomes a plain one: text built
    for a screen is no secret.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        return TypedText(str.__getitem__(self, key))

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """Split into parts that hide themselves."""
        return list(map(TypedText, str.split(self, sep, maxsplit)))

    def partition(self, sep: str) -> tuple[str, str, str]:
        """Partition into parts that hide themselves."""
        head, separator, tail = str.partition(self, sep)
        return TypedText(head), separator, TypedText(tail)

    def strip(self, chars: str | None = None) -> str:
        """Strip to a text that hides itself."""
        return TypedText(str.strip(self, chars))
