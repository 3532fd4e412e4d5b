"""Runs of voice prompts, for providers whose key input holds one spoken text or one recording."""

from itertools import groupby

from menus.model.reply import Prompt

PromptRun = tuple[Prompt, ...]
"""Neighbouring spoken prompts, or one recording."""


def group_prompts(prompts: tuple[Prompt, ...]) -> list[PromptRun]:
    """Group the prompts in order: neighbouring spoken ones together, each recording alone."""
    spoken = groupby(enumerate(prompts), lambda item: item[0] if item[1].kind == "play" else -1)
    return [tuple(prompt for _, prompt in run) for _, run in spoken]


def spoken_text(run: PromptRun) -> str:
    """Return a spoken run as one text; digits are spaced out, or a code would be read as one big number."""
    return " ".join(" ".join(prompt.text) if prompt.kind == "digits" else prompt.text for prompt in run)
