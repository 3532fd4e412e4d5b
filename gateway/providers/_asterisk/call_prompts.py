"""Prompts of a call: each prompt of a reply as a sound file that Asterisk plays."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.speech.prompt_folder import PromptFile, PromptFolder
from gateway.speech.speech_command import SpeechFailed
from menus.model.reply import Prompt, Reply


@dataclass(frozen=True, slots=True)
class PreparedPrompts:
    """Sounds to play one after the other."""

    media: tuple[str, ...] = ()
    """ARI media URIs."""
    seconds: float = 0.0
    """How long they last."""


@dataclass(frozen=True, slots=True)
class CallPrompts:
    """Prepares the prompts of all calls of a link."""

    folder: PromptFolder = field(repr=False)
    seen_as: str
    """The folder's path on Asterisk's machine."""
    find_recording: Callable[[str], Path | None] = field(repr=False)
    """Returns the path of a pack's recording; None when the pack has no such file."""

    async def prepare(self, reply: Reply, call: str) -> PreparedPrompts:
        """Return a reply's prompts as sounds; SpeechFailed when one of them cannot be spoken."""
        spoken = [prompt for prompt in reply.prompts if prompt.kind != "invite"]
        work = (self._find_file(prompt, reply.language, call) for prompt in spoken)
        results = await asyncio.gather(*work, return_exceptions=True)  # all end before the call's files go
        files = [_require_file(result) for result in results]
        media = tuple(f"sound:{self.seen_as}/{file.name}" for file in files)
        return PreparedPrompts(media, sum(file.seconds for file in files))

    async def _find_file(self, prompt: Prompt, language: str, call: str) -> PromptFile:
        if prompt.kind == "play":
            return await self._find_recorded(prompt, language)
        text = " ".join(prompt.text) if prompt.kind == "digits" else prompt.text
        if prompt.is_fixed:
            return await self.folder.find_fixed(text, language)
        return await self.folder.speak_personal(text, language, call)

    async def _find_recorded(self, prompt: Prompt, language: str) -> PromptFile:
        """Return a recording; its words spoken where the file is missing or cannot be converted."""
        path = self.find_recording(prompt.file)
        try:
            if path is not None:
                return await self.folder.find_recording(path)
        except (SpeechFailed, OSError):
            pass
        return await self.folder.find_fixed(prompt.text, language)


def _require_file(result: PromptFile | BaseException) -> PromptFile:
    if isinstance(result, BaseException):
        raise result
    return result
