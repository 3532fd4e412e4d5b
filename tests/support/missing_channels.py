"""What a telephone of tests cannot do on its line, refused with a reason."""

from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay


class WithoutCalls:
    """Refuses calls and speech: the line carries none."""

    __slots__ = ()

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        raise DialogError("this line carries no calls")

    async def say(self, words: str) -> PhoneDisplay:
        raise DialogError("this line carries no calls")

    async def press_nothing(self) -> PhoneDisplay:
        raise DialogError("this line carries no calls")
