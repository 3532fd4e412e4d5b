"""Input of one screen of a call: exact time-outs, the finish key, interrupted prompts."""

from gateway.asterisk.ari_events import KeyPressed, is_same_press, parse_event
from gateway.providers._asterisk.screen_input import CollectedAnswer, ScreenInput
from menus.model.reply import Gather

CODE = Gather(8, "#", 6, 3)
CHOICE = Gather(1, "", 6, 3)


def listening(gather: Gather = CODE) -> ScreenInput:
    screen = ScreenInput(gather, "playback")
    assert screen.end_prompts(100.0) is None
    return screen


def test_the_first_key_has_its_own_time() -> None:
    screen = listening()
    assert (screen.deadline, screen.is_listening) == (106.0, True)
    assert screen.pass_deadline(106.0) == CollectedAnswer(None)


def test_each_key_gives_time_for_the_next() -> None:
    screen = listening()
    assert screen.press_key("1", 105.5) is None and screen.deadline == 108.5
    assert screen.press_key("2", 107.0) is None and screen.deadline == 110.0
    assert screen.pass_deadline(110.0) == CollectedAnswer("12")


def test_hash_ends_an_answer_and_alone_asks_again() -> None:
    screen = listening()
    screen.press_key("1", 101.0)
    assert screen.press_key("#", 102.0) == CollectedAnswer("1")
    assert listening().press_key("#", 101.0) == CollectedAnswer("#")
    assert listening(CHOICE).press_key("#", 101.0) == CollectedAnswer("#")


def test_the_most_keys_are_an_answer_at_once() -> None:
    screen = listening()
    assert [screen.press_key(key, 101.0) for key in "1234567"] == [None] * 7
    assert screen.press_key("8", 101.0) == CollectedAnswer("12345678")


def test_a_key_ends_the_prompts_where_it_may() -> None:
    screen = ScreenInput(CODE, "playback")
    screen.press_key("1", 50.0)
    assert (screen.playback_id, screen.deadline) == ("", 53.0)
    polite = ScreenInput(Gather(1, "", 6, 3, barge_in=False), "playback")
    assert polite.press_key("1", 50.0) is None and polite.playback_id == "playback"


def test_prompts_whose_end_is_never_told_are_over_in_time() -> None:
    screen = ScreenInput(CHOICE, "playback", deadline=20.0)
    assert screen.pass_deadline(20.0) is None and screen.deadline == 26.0
    assert ScreenInput(None, "playback", deadline=20.0).pass_deadline(20.0) == CollectedAnswer(None)


def key_at(seconds: str, digit: str = "1") -> KeyPressed:
    fields = f'"digit": "{digit}", "timestamp": "2026-11-27T10:16:{seconds}+0000", "channel": {{"id": "1.2"}}'
    event = parse_event(f'{{"type": "ChannelDtmfReceived", {fields}}}')
    assert isinstance(event, KeyPressed)
    return event


def test_one_press_is_told_from_two() -> None:
    assert is_same_press(key_at("30.700"), key_at("30.700"))
    assert is_same_press(key_at("30.700"), key_at("30.740"))
    assert not is_same_press(key_at("30.700"), key_at("30.800"))
    assert not is_same_press(key_at("30.700"), key_at("30.700", "2"))
    assert not is_same_press(KeyPressed("1.2", "1"), KeyPressed("1.2", "1"))


def test_keys_are_in_no_repr() -> None:
    screen = listening()
    screen.press_key("7", 101.0)
    assert "7" not in repr(screen) + repr(CollectedAnswer("7")) + repr(KeyPressed("1.2", "7"))
