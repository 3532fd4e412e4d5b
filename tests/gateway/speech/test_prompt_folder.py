"""Prompts on disk: fixed ones once and bounded, personal ones as long as their call, real speech as sound."""

import asyncio
import os
import wave
from pathlib import Path

import pytest

from gateway.speech.prompt_folder import PromptFolder
from gateway.speech.speech_command import SpeechCommand, SpeechFailed
from gateway.speech.telephone_sound import SoundUnreadable, read_sound, write_sound
from tests.support.ari_phone import SPEECH
from tests.support.installed_programs import find_or_skip

WORDS = SpeechCommand(("sh", str(SPEECH)))


def sounds_in(path: Path) -> list[Path]:
    return list(path.rglob("*.wav"))


async def open_folder(path: Path, speech: SpeechCommand = WORDS, most: int = 2000) -> PromptFolder:
    folder = PromptFolder(path, "dialtree-0", speech, most)
    await folder.prepare()
    return folder


async def test_a_fixed_prompt_is_spoken_once(tmp_path: Path) -> None:
    folder = await open_folder(tmp_path, SpeechCommand(("sh", "-c", f"echo >> {tmp_path}/runs; sh {SPEECH}")))
    files = await asyncio.gather(*(folder.find_fixed("Bine ați venit", "ro") for _ in range(4)))
    assert files == [files[0]] * 4 == [await folder.find_fixed("Bine ați venit", "ro")] * 4
    assert (tmp_path / "runs").read_text() == "\n"
    assert await folder.find_fixed("Bine ați venit", "fr") != files[0]


async def test_the_folder_is_bounded_and_keeps_what_is_used(tmp_path: Path) -> None:
    folder = await open_folder(tmp_path, most=2)
    first = await folder.find_fixed("one", "en")
    second = await folder.find_fixed("two", "en")
    os.utime(tmp_path / f"{second.name}.wav", (1, 1))
    third = await folder.find_fixed("three", "en")
    names = {f"shared/{path.stem}" for path in (tmp_path / "shared").iterdir()}
    assert names == {first.name, third.name}


async def test_personal_prompts_have_no_name_of_their_words_and_go_with_the_call(tmp_path: Path) -> None:
    folder = await open_folder(tmp_path)
    first = await folder.speak_personal("49,99 lei", "ro", "1.2")
    assert first.name != (await folder.speak_personal("49,99 lei", "ro", "1.2")).name
    assert (tmp_path / f"{first.name}.wav").stat().st_mode & 0o777 == 0o640
    await folder.delete_call("1.2")
    assert not sounds_in(tmp_path)


async def test_a_restarted_process_deletes_what_its_calls_left(tmp_path: Path) -> None:
    await (await open_folder(tmp_path)).speak_personal("49,99 lei", "ro", "1.2")
    other = PromptFolder(tmp_path, "dialtree-1", WORDS)
    await other.prepare()
    assert sounds_in(tmp_path)
    await open_folder(tmp_path)
    assert not sounds_in(tmp_path)


@pytest.mark.parametrize(
    "command",
    [("no-such-program",), ("false",), ("true",), ("cat",), ("sleep", "60"), ("yes",)],
    ids=lambda each: each[0],
)
async def test_a_program_that_does_not_speak_is_a_failure(command: tuple[str, ...], tmp_path: Path) -> None:
    folder = await open_folder(tmp_path, SpeechCommand(command, seconds=0.2))
    with pytest.raises(SpeechFailed):
        await folder.find_fixed("Bine", "ro")
    assert not sounds_in(tmp_path)


async def test_a_script_is_killed_with_the_program_it_waits_for(tmp_path: Path) -> None:
    folder = await open_folder(tmp_path, SpeechCommand(("sh", "-c", "sleep 6000; true"), seconds=0.2))
    async with asyncio.timeout(60):
        with pytest.raises(SpeechFailed):
            await folder.find_fixed("Bine", "ro")


async def test_a_program_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    folder = await open_folder(tmp_path, SpeechCommand(("cat", "/dev/zero"), seconds=60.0))
    with pytest.raises(SpeechFailed, match="without end"):
        await folder.find_fixed("Bine", "ro")


@pytest.mark.parametrize("call", [".", "..", "../..", "/", "a/../../../b"])
async def test_no_call_id_leads_out_of_the_folder_of_calls(call: str, tmp_path: Path) -> None:
    folder = await open_folder(tmp_path)
    fixed, other = await folder.find_fixed("Bine", "ro"), await folder.speak_personal("1", "ro", "1.2")
    own = await folder.speak_personal("2", "ro", call)
    assert own.name.count("/") == other.name.count("/") and ".." not in own.name
    await folder.delete_call(call)
    assert {path.stem for path in sounds_in(tmp_path)} == {Path(each.name).name for each in (fixed, other)}


async def test_an_empty_file_of_a_power_cut_is_made_again(tmp_path: Path) -> None:
    folder = await open_folder(tmp_path)
    prompt = await folder.find_fixed("Bine", "ro")
    (tmp_path / f"{prompt.name}.wav").write_bytes(b"")
    assert await folder.find_fixed("Bine", "ro") == prompt
    assert (tmp_path / f"{prompt.name}.wav").stat().st_size


async def test_espeak_speaks_telephone_sound(tmp_path: Path) -> None:
    find_or_skip("espeak-ng")
    find_or_skip("sox")
    folder = await open_folder(tmp_path, SpeechCommand(seconds=30.0))
    prompt = await folder.find_fixed("Pentru facturi, apăsați 1.", "ro")
    with wave.open(str(tmp_path / f"{prompt.name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.getnframes() / 8000 == pytest.approx(prompt.seconds) and 1 < prompt.seconds < 6


async def test_a_recording_is_taken_as_telephone_sound(tmp_path: Path) -> None:
    recording = tmp_path / "welcome.wav"
    recording.write_bytes(write_sound(b"\1\2" * 8000))
    folder = await open_folder(tmp_path / "sounds")
    prompt = await folder.find_recording(recording)
    assert prompt.seconds == 1.0
    assert read_sound((tmp_path / "sounds" / f"{prompt.name}.wav").read_bytes()).samples == b"\1\2" * 8000


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3" * 100, write_sound(b"")[:30]])
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(SoundUnreadable):
        read_sound(data)
