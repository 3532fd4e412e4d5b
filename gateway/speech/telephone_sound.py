"""Telephone sound: WAV files of 8 kHz, 16 bits and one channel, as telephone switches play them."""

import io
import wave
from dataclasses import dataclass, field

SAMPLES_PER_SECOND, SAMPLE_OCTETS = 8000, 2
MAX_SECONDS = 300
"""Longest prompt; what a program says beyond it is no prompt."""


class SoundUnreadable(ValueError):  # noqa: N818 - it reads as a statement where it is caught
    """The bytes are no WAV file of uncompressed samples."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples of one channel as they came, with their rate."""

    samples: bytes = field(repr=False)
    rate: int
    """Samples per second."""
    channels: int = 1
    octets: int = SAMPLE_OCTETS
    """Octets of one sample."""

    @property
    def is_telephone(self) -> bool:
        """Whether a switch plays it as it is."""
        return (self.rate, self.channels, self.octets) == (SAMPLES_PER_SECOND, 1, SAMPLE_OCTETS)


def read_sound(data: bytes) -> Sound:
    """Read a WAV file; one from a pipe does not know its length. SoundUnreadable for anything else."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            frame, rate = file.getnchannels() * file.getsampwidth(), file.getframerate()
            samples = file.readframes(MAX_SECONDS * rate)
            whole = samples[: len(samples) // frame * frame]
            return Sound(whole, rate, file.getnchannels(), file.getsampwidth())
    except (wave.Error, EOFError, ZeroDivisionError) as error:
        raise SoundUnreadable("no WAV file") from error


def write_sound(samples: bytes) -> bytes:
    """Return telephone samples as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_OCTETS)
        file.setframerate(SAMPLES_PER_SECOND)
        file.writeframes(samples)
    return buffer.getvalue()


def duration_of(data: bytes) -> float:
    """Return the seconds a telephone WAV file of ours lasts."""
    return max(len(data) - WAV_HEADER_OCTETS, 0) / (SAMPLES_PER_SECOND * SAMPLE_OCTETS)


WAV_HEADER_OCTETS = 44
"""Of a WAV file that holds nothing but its format and its samples."""
