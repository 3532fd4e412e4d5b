"""Prompt folder: a bounded cache of spoken and recorded prompts on disk, and prompts of one call.

Fixed prompts keep the name of their content and are reused until the folder is full. What holds an amount, a
date or a number is personal: it has a random name, belongs to one call and is deleted with it.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.domain.single_flight import SingleFlight
from gateway.speech.speech_command import SpeechCommand
from gateway.speech.telephone_sound import duration_of, write_sound

FILE_MODE, FOLDER_MODE = 0o640, 0o2750
"""Readable by the folder's group, which the telephone switch belongs to, and by nobody else."""
SHARED_FOLDER, CALLS_FOLDER = "shared", "calls"
SoundMaker = Callable[[], Coroutine[Any, Any, bytes]]
"""Makes the samples of a prompt."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt that lies in the folder."""

    name: str
    """Path below the folder, without `.wav`: a switch chooses the suffix itself."""
    seconds: float


@dataclass(slots=True)
class PromptFolder:
    """Prompts of one process; several processes may share the folder."""

    folder: Path
    owner: str
    """Names this process's calls; unique on the folder."""
    speech: SpeechCommand = field(repr=False)
    max_files: int = 2000
    """Most fixed prompts kept; beyond it those unused for longest go."""
    _under_way: SingleFlight[str, PromptFile] = field(default_factory=SingleFlight, repr=False)

    async def prepare(self) -> None:
        """Create the folder and delete what calls of an earlier process left behind; OSError if it cannot."""
        await asyncio.to_thread(self._prepare)

    async def find_fixed(self, text: str, language: str) -> PromptFile:
        """Return a text every caller may hear, spoken at most once; SpeechFailed when it cannot be."""
        name = _content_name(self.speech.describe(language), language, text)
        return await self._find_shared(name, lambda: self.speech.speak(text, language))

    async def find_recording(self, path: Path) -> PromptFile:
        """Return a recording as telephone sound; SpeechFailed when it cannot be converted or read."""
        data = await asyncio.to_thread(path.read_bytes)
        name = _content_name("recording", hashlib.blake2b(data).hexdigest())
        return await self._find_shared(name, lambda: self.speech.convert(data))

    async def speak_personal(self, text: str, language: str, call: str) -> PromptFile:
        """Return a text of one call; `delete_call` deletes it."""
        samples = await self.speech.speak(text, language)
        name = f"{self._call_folder(call)}/{secrets.token_hex(8)}"
        return await asyncio.to_thread(self._write, name, samples)

    async def delete_call(self, call: str) -> None:
        """Delete the prompts of a call."""
        folder = self.folder / self._call_folder(call)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _call_folder(self, call: str) -> str:
        """Return the folder of a call; a hash, as a switch may put any letters into a call's id, `..` too."""
        return f"{CALLS_FOLDER}/{self.owner}/{_content_name(call)}"

    async def _find_shared(self, name: str, make: SoundMaker) -> PromptFile:
        found = await asyncio.to_thread(self._look_up, name)
        return found or await self._under_way.join(name, lambda: self._make_shared(name, make))

    async def _make_shared(self, name: str, make: SoundMaker) -> PromptFile:
        file = await asyncio.to_thread(self._write, f"{SHARED_FOLDER}/{name}", await make())
        await asyncio.to_thread(self._delete_unused)
        return file

    def _prepare(self) -> None:
        calls = self.folder / CALLS_FOLDER / self.owner
        shutil.rmtree(calls, ignore_errors=True)
        for folder in (self.folder, self.folder / SHARED_FOLDER, self.folder / CALLS_FOLDER, calls):
            _create_folder(folder)

    def _look_up(self, name: str) -> PromptFile | None:
        """Return a prompt that was made before; it counts as used now. A power cut can leave an empty one."""
        path = self.folder / SHARED_FOLDER / f"{name}.wav"
        try:
            seconds = duration_of(path.read_bytes())
            os.utime(path)
        except OSError:
            return None
        return PromptFile(f"{SHARED_FOLDER}/{name}", seconds) if seconds else None

    def _write(self, name: str, samples: bytes) -> PromptFile:
        """Write a sound whole: nobody plays half a file, and what a crash leaves is deleted with the calls."""
        path, data = self.folder / f"{name}.wav", write_sound(samples)
        _create_folder(path.parent)
        part = self.folder / CALLS_FOLDER / self.owner / f"{secrets.token_hex(8)}.part"
        part.write_bytes(data)
        part.chmod(FILE_MODE)
        part.replace(path)
        return PromptFile(name, duration_of(data))

    def _delete_unused(self) -> None:
        """Delete the fixed prompts unused for longest, once there are more than the folder may hold."""
        files = sorted(self._used_files(), reverse=True)
        for _, path in files[self.max_files :]:
            path.unlink(missing_ok=True)

    def _used_files(self) -> Iterator[tuple[float, Path]]:
        for path in (self.folder / SHARED_FOLDER).glob("*.wav"):
            with suppress(OSError):
                yield path.stat().st_mtime, path


def _create_folder(folder: Path) -> None:
    """Create a folder whose files belong to its parent's group; one that exists stays as it is."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(FOLDER_MODE)


def _content_name(*parts: str) -> str:
    """Return the name of a content: a hash of all that decides how it sounds."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
