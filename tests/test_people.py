"""People: who a caller is, remembered for a while, and no more of them than there is room for."""

from datetime import timedelta

from flows import people
from tests.world import OPERATOR, World

ANA, BARBU = "+40740000101", "+40740000102"


async def test_whoever_was_asked_about_longest_ago_goes_first(world: World) -> None:
    known = world.house.conversations.people[OPERATOR]
    await known.find(ANA)
    remembered = known.known[ANA]
    known.known |= {f"+4075{number:07}": remembered for number in range(people.MOST - 1)}

    world.clock.wait(timedelta(seconds=61))
    await known.find(ANA)
    await known.find(BARBU)

    assert len(known.known) == people.MOST and {ANA, BARBU} <= known.known.keys()
