"""Speech synthesis by a program: text on its standard input, a WAV file on its standard output.

espeak-ng, Piper or a script of the operator's all fit. The text is never an argument: arguments of a process
can be read by every user of the machine.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.speech.telephone_sound import SoundUnreadable, read_sound

SPEAK_SECONDS = 5.0
"""A sentence takes espeak-ng 0.02 to 0.3 s (measured); behind this the caller has heard silence too long."""
MAX_OUTPUT_OCTETS = 16 * 1024 * 1024
"""Most a program may write: more than five minutes of 22,050 samples a second."""
KILL_SECONDS = 1.0
"""How long the end of a killed program is waited for."""
VOICE_MARK = "{voice}"
"""Stands in a command for the voice of the language."""
ESPEAK_COMMAND = ("espeak-ng", "-v", VOICE_MARK, "-s", "150", "--stdin", "--stdout")
SOX_COMMAND = ("sox", "-V1", "-t", "wav", "-", "-t", "wav", "-r", "8000", "-c", "1", "-b", "16", "-")
"""Converts a WAV file of any rate to telephone sound."""


class SpeechFailed(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """The speech program did not speak a prompt."""


@dataclass(frozen=True, slots=True)
class SpeechCommand:
    """Speaks texts with a program, a few at a time."""

    command: Sequence[str] = ESPEAK_COMMAND
    converter: Sequence[str] = SOX_COMMAND
    """Makes telephone sound of what the program writes; not run where that is telephone sound already."""
    voices: Mapping[str, str] = field(default_factory=dict)
    """What stands for `{voice}`, by language; by default the language itself."""
    seconds: float = SPEAK_SECONDS
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4), repr=False)

    def describe(self, language: str) -> str:
        """Return what decides how a text sounds in a language: part of the name of its sound."""
        return "\0".join([*self.command, self._voice_of(language)])

    async def speak(self, text: str, language: str) -> bytes:
        """Return the text as samples of telephone sound; SpeechFailed when the program does not deliver any."""
        command = [part.replace(VOICE_MARK, self._voice_of(language)) for part in self.command]
        return await self.convert(await self._run(command, text.encode()))

    async def convert(self, data: bytes) -> bytes:
        """Return a WAV file's sound as telephone samples; SpeechFailed when it holds none."""
        try:
            sound = read_sound(data)
            if not sound.is_telephone:
                sound = read_sound(await self._run(self.converter, data))
        except SoundUnreadable as error:
            raise SpeechFailed("no WAV file") from error
        if not sound.samples or not sound.is_telephone:
            raise SpeechFailed("no telephone sound")
        return sound.samples

    def _voice_of(self, language: str) -> str:
        return self.voices.get(language, language)

    async def _run(self, command: Sequence[str], data: bytes) -> bytes:
        async with self.at_once:
            try:
                return await _run_program(command, data, self.seconds)
            except TimeoutError as error:
                raise SpeechFailed(f"{command[0]} takes too long") from error
            except OSError as error:
                raise SpeechFailed(f"{command[0]} cannot be run") from error


async def _run_program(command: Sequence[str], data: bytes, seconds: float) -> bytes:
    """Return what a program writes for its input; SpeechFailed when it fails, TimeoutError when killed."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=nothing, start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            output = await _exchange(process, data)
    except BaseException:
        await _kill_program(process)
        raise
    if process.returncode:
        raise SpeechFailed(f"{command[0]} ended with status {process.returncode}")
    return output


async def _exchange(process: asyncio.subprocess.Process, data: bytes) -> bytes:
    """Write a program's input and return its output; SpeechFailed when that does not end."""
    assert process.stdin and process.stdout, "both are pipes"  # noqa: S101
    process.stdin.write(data)
    process.stdin.close()
    output = bytearray()
    while chunk := await process.stdout.read(65_536):
        output += chunk
        if len(output) > MAX_OUTPUT_OCTETS:
            raise SpeechFailed("the program writes without end")
    await process.wait()
    return bytes(output)


async def _kill_program(process: asyncio.subprocess.Process) -> None:
    """Kill a program with all it started: a child of a script would keep its output open, and us waiting."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_SECONDS):
            await process.communicate()
