"""Compare a recording with prompts by normalised cross-correlation (numpy): 1 is identical.

Run: python compare_sound.py RECORDING.wav PROMPT.wav ...
Prints a line for each prompt: how well its best second fits; above 0.9 for one played through G.711.
"""

import sys
import wave
from typing import Any

import numpy  # type: ignore[import-not-found, unused-ignore]

np: Any = numpy
LENGTH = 8000
"""Samples of a compared part, one second: on a busy machine a late packet shifts what follows."""


def read_samples(path: str) -> Any:
    """Return the samples of a telephone WAV file."""
    with wave.open(path) as file:
        assert file.getframerate() == 8000 and file.getnchannels() == 1, path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def correlate(heard: Any, squares: Any, part: Any) -> float:
    """Return how well a part of a prompt fits the recording where it fits best."""
    places = max(len(heard) - len(part), 1)
    size = len(heard) + len(part)
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)[:places]
    energy = (squares[len(part) :] - squares[: len(squares) - len(part)])[:places]
    loudness = np.sqrt(np.maximum(energy, 1e4) * max((part**2).sum(), 1e4))
    return float((products[: len(loudness)] / loudness).max())


heard = read_samples(sys.argv[1])
squares = np.concatenate([[0.0], np.cumsum(heard**2)])
for path in sys.argv[2:]:
    prompt = read_samples(path)
    starts = range(0, max(len(prompt) - LENGTH, 1), LENGTH // 2)
    scores = [correlate(heard, squares, prompt[start : start + LENGTH]) for start in starts]
    sys.stdout.write(f"{max(scores):.3f}\n")
