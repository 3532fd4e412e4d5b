"""Edits of a pack's files: set a text, keywords or opening hours, add an option or a screen.

Each takes the texts of the pack's files by their path in its folder and returns them with one file changed;
YamlEditError where the file cannot be edited.
"""

from collections.abc import Iterator, Mapping, Sequence

from menus.packfile.yaml_edits import append_item, remove_value, set_value, value_below
from menus.packfile.yaml_source import ValuePath, YamlValue, parse_yaml
from menus.packfile.yaml_writing import YamlEditError

FileTexts = Mapping[str, str]
"""Texts of a pack's files, by path: `pack.yaml`, `texts/ro.yaml`."""
PACK_FILE, SCREENS_FILE, KEYWORDS_FILE = "pack.yaml", "screens.yaml", "keywords.yaml"
AGENT_HOURS: ValuePath = ("voice", "agent_hours")


def text_file(language: str) -> str:
    """Return the file of a language's texts."""
    return f"texts/{language}.yaml"


def write_text(files: FileTexts, language: str, name: str, value: YamlValue) -> FileTexts:
    """Set a text in a language: the words, or the words by channel or form; unchanged words are not touched.

    A text that the pack has from the shared catalogue becomes the pack's own.
    """
    file = text_file(language)
    edited = files[file]
    if not _has_same_shape(read_values(files, file).get(name), value):
        return {**files, file: set_value(edited, (name,), value)}
    for path, words in list_words(value):
        edited = set_value(edited, (name, *path), words)
    return {**files, file: edited}


def list_words(value: YamlValue) -> Iterator[tuple[ValuePath, str]]:
    """Yield the words of a text with the path to them: channel, form, both or none."""
    if isinstance(value, str):
        yield (), value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from (((key, *path), words) for path, words in list_words(each))


def _has_same_shape(old: YamlValue | None, new: YamlValue) -> bool:
    """Return whether two texts have words at the same paths."""
    return old is not None and [path for path, _ in list_words(old)] == [path for path, _ in list_words(new)]


def add_option(
    files: FileTexts, screen: str, definition: YamlValue, option: Mapping[str, YamlValue]
) -> FileTexts:
    """Add an option to a screen; `definition` is the screen's own, which a pack without it takes over."""
    edited = _own_screen(files, screen, definition)
    return {**files, SCREENS_FILE: append_item(edited, ("screens", screen, "options"), dict(option))}


def remove_option(files: FileTexts, screen: str, definition: YamlValue, index: int) -> FileTexts:
    """Take an option out of a screen."""
    edited = _own_screen(files, screen, definition)
    return {**files, SCREENS_FILE: remove_value(edited, ("screens", screen, "options", index))}


def write_option_keys(
    files: FileTexts, screen: str, definition: YamlValue, index: int, keys: Mapping[str, str]
) -> FileTexts:
    """Set the keys of an option by channel; a channel without a key does not offer it."""
    edited = _own_screen(files, screen, definition)
    path: ValuePath = ("screens", screen, "options", index)
    option = value_below(read_values({SCREENS_FILE: edited}, SCREENS_FILE), path)
    if not isinstance(option, dict):
        raise YamlEditError(f"{screen} has no option {index + 1}")
    rest = {name: each for name, each in option.items() if name not in ("key", "ussd", "sms", "voice")}
    one_key = len(keys) == 3 and len(set(keys.values())) == 1
    chosen = {"key": next(iter(keys.values()))} if one_key else dict(keys)
    changed: dict[str, YamlValue] = {"text": rest.pop("text"), **chosen, **rest}
    return {**files, SCREENS_FILE: set_value(edited, path, changed)}


def _own_screen(files: FileTexts, screen: str, definition: YamlValue) -> str:
    """Return the file of screens with the screen in it, taken over from a flow where it is not."""
    text = files[SCREENS_FILE]
    screens = read_values(files, SCREENS_FILE).get("screens")
    is_own = isinstance(screens, dict) and screen in screens
    return text if is_own else set_value(text, ("screens", screen), definition)


def add_screen(files: FileTexts, name: str, definition: YamlValue) -> FileTexts:
    """Add a screen; YamlEditError where the pack has one of this name."""
    screens = read_values(files, SCREENS_FILE).get("screens")
    if isinstance(screens, dict) and name in screens:
        raise YamlEditError(f"there is a screen {name!r} already")
    return {**files, SCREENS_FILE: set_value(files[SCREENS_FILE], ("screens", name), definition)}


def write_keyword_words(files: FileTexts, index: int, words: Sequence[str]) -> FileTexts:
    """Set the words subscribers may text for one keyword."""
    path: ValuePath = ("keywords", index, "words")
    return {**files, KEYWORDS_FILE: set_value(files[KEYWORDS_FILE], path, list(words))}


def add_keyword(files: FileTexts, words: Sequence[str], target: str) -> FileTexts:
    """Add a keyword that leads to a screen."""
    keyword: YamlValue = {"words": list(words), "to": target}
    return {**files, KEYWORDS_FILE: append_item(files[KEYWORDS_FILE], ("keywords",), keyword)}


def remove_keyword(files: FileTexts, index: int) -> FileTexts:
    """Take a keyword out, with all its words."""
    return {**files, KEYWORDS_FILE: remove_value(files[KEYWORDS_FILE], ("keywords", index))}


def write_agent_hours(files: FileTexts, days: str, start: str, end: str) -> FileTexts:
    """Set when calls are transferred to an agent, in the operator's time zone: `mon-fri`, `08:00`, `20:00`."""
    edited = files[PACK_FILE]
    hours: dict[str, YamlValue] = {"days": days, "from": start, "to": end}
    old = value_below(read_values(files, PACK_FILE), AGENT_HOURS)
    if old is None:
        return {**files, PACK_FILE: set_value(edited, AGENT_HOURS, hours)}
    for name, value in hours.items():
        edited = set_value(edited, (*AGENT_HOURS, name), value)
    return {**files, PACK_FILE: edited}


def clear_agent_hours(files: FileTexts) -> FileTexts:
    """Transfer calls to an agent at any hour."""
    voice = value_below(read_values(files, PACK_FILE), ("voice",))
    if not isinstance(voice, dict) or "agent_hours" not in voice:
        return files
    path: ValuePath = AGENT_HOURS if len(voice) > 1 else ("voice",)
    return {**files, PACK_FILE: remove_value(files[PACK_FILE], path)}


def read_values(files: FileTexts, file: str) -> dict[str, YamlValue]:
    """Return the values of a file; PackError when it is not YAML, none when it is no mapping."""
    value = parse_yaml(files[file].encode(), file).value
    return value if isinstance(value, dict) else {}
