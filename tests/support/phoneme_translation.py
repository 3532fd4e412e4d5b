"""Translate text to phonemes by espeak-ng's library, which makes no sound: a fortieth of its command's cost."""

import ctypes
from collections.abc import Iterator, Sequence
from functools import cache

LIBRARY = "libespeak-ng.so.1"
"""Installed with the program of the same name."""
NO_SOUND = 1
"""AUDIO_OUTPUT_RETRIEVAL of speak_lib.h: no device is opened."""
NEVER_EXIT = 0x8000
"""espeakINITIALIZE_DONT_EXIT: an error is returned, not the end of the process."""
UTF8, MNEMONICS = 1, 0
"""espeakCHARS_UTF8, and espeak-ng's own phoneme names, as its option -x prints them."""


@cache
def load_library() -> ctypes.CDLL:
    """Return the library, ready; OSError when it is missing or finds no languages."""
    library = ctypes.CDLL(LIBRARY)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    if library.espeak_Initialize(NO_SOUND, 0, None, NEVER_EXIT) < 0:
        raise OSError(f"{LIBRARY} did not start")
    return library


def clauses_of(text: str) -> Iterator[str]:
    """Yield the phonemes of each clause, in the language that is set; the library moves the pointer on."""
    buffer = ctypes.create_string_buffer(text.encode())
    place = ctypes.c_void_p(ctypes.addressof(buffer))
    while place.value is not None:
        yield load_library().espeak_TextToPhonemes(ctypes.byref(place), UTF8, MNEMONICS).decode()


def translate_to_phonemes(language: str, texts: Sequence[str]) -> list[str]:
    """Return the phonemes of each text; LookupError when the library has no such language."""
    if load_library().espeak_SetVoiceByName(language.encode()) != 0:
        raise LookupError(f"{LIBRARY} does not speak {language}")
    return [" ".join(clauses_of(text)) for text in texts]
