"""Order of use of the names in a table, made of numbers and strings only.

The garbage collector visits an `OrderedDict` with all its keys at every full run; a dictionary of numbers and
strings it does not even know of.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_GAP = 100
"""Most numbers of names that have left, behind one that has not, which a listing passes over."""


@dataclass(slots=True)
class UseOrder:
    """Names in the order they were added; whoever holds a name's number can take it out at any place."""

    names: dict[int, str] = field(default_factory=dict, repr=False)
    first_number: int = 0
    """No name has a smaller number."""
    next_number: int = 0

    def __len__(self) -> int:
        return len(self.names)

    def add_name(self, name: str) -> int:
        """Add a name at the end; return its number."""
        number = self.next_number
        self.names[number] = name
        self.next_number += 1
        return number

    def remove_number(self, number: int) -> None:
        """Take the name with this number out, if it is there."""
        self.names.pop(number, None)

    def list_oldest(self, count: int) -> Iterator[str]:
        """Yield at most so many names, the oldest first; the order may change meanwhile.

        Numbers taken out at the beginning are passed over once, not at every call; behind one name that stays,
        at most `MAX_GAP` of them, so that one idle name costs the others no time.
        """
        number, gap = self.first_number, 0
        while count and number < self.next_number and gap <= MAX_GAP:
            name = self.names.get(number)
            if name is not None:
                count -= 1
                yield name
            elif number == self.first_number:
                self.first_number += 1
            else:
                gap += 1
            number += 1
