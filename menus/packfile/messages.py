"""Messages of the pack linter (`dialtree check`), for operators' staff who do not program.

Each says what is wrong, then what to write instead. Names in braces are filled in where the fault is found.
"""

from collections.abc import Iterable
from difflib import get_close_matches

# A file that cannot be read.
MISSING_FILE = "no such file; every pack needs it"
FILE_TOO_BIG = "{bytes} bytes; a file may have {most}: split it"
NOT_UTF8 = "not UTF-8 at byte {byte}; save it as UTF-8"
INVALID_YAML = "not YAML: {problem}; look at the indent, the quotes and the brackets here"
YAML_ALIAS = "aliases (*name) are not allowed; write the value out"
YAML_TAG = "tags (!name) are not allowed; write a plain value"
TOO_DEEP = "nested deeper than {most}; flatten it"
TOO_MANY_VALUES = "more than {most} values; split the file"
DUPLICATE_YAML_KEY = "duplicate key {name!r}; keep one of them"

# A field that does not match the schema of its file.
UNKNOWN_FIELD = "unknown field {name!r}; {instead}"
MISSING_FIELD = "{name!r} is missing; write it"
UNKNOWN_VALUE = "{given} is not known here; write one of: {known}"
WRONG_PATTERN = "{given} has the wrong form; write {example}"
NOT_A_TEXT = "{field} takes a text; write one behind it"
NOT_A_NUMBER = "{given} is no whole number; write one like 3"
NOT_A_BOOLEAN = "{given} is neither yes nor no; write true or false"
NOT_A_LIST = "{field} takes a list; write each of its rows on a line of its own, beginning with -"
NOT_A_MAPPING = "{field} takes fields; write them indented below it, each as `name: value`"
EMPTY_LIST = "{field} is empty; write at least one"
BELOW_MINIMUM = "{given} is too little; write {bound} or more"
ABOVE_MAXIMUM = "{given} is too much; write {bound} or less"
INVALID_FIELD = "{field} is not as it should be: {why}"
UNUSABLE_VALUE = "{given} is {why}"
UNKNOWN_FLOW = "unknown flow {flow!r}; {instead}"
INVALID_PO = "not a PO file: {why}"
PO_TEXT_UNKNOWN = "the pack has no text {name!r}; export the file again"
PO_PLACEHOLDERS = "{name!r}: the translation must have the placeholders of the source, {slots} differ"
OTHER_OPERATOR = "this is the pack of {name!r}; a pack of {operator!r} is expected here"
INVALID_LANGUAGE = "{language} can be neither written nor spoken: {why}; mend its locale, day, money or units"
INVALID_FALLBACK = "cannot fall back to {to!r}; name another language of the pack, and no circle"

# A node that is incomplete or does not match the others.
NO_OPTIONS = "{node}: a choice without options; write `options:` or make it a message"
MISPLACED_ACCEPT = "{node}: `accept:` belongs to an input, and every input needs one"
MISPLACED_ACTION = "{node}: `action:` belongs to a step, and every step needs one"
MISSING_VIA = "{node}: a hand-over without `via:`; write agent, card, sms, voice or ussd"
KEEP_FORBIDDEN = "{node}: a secret is never kept; take `keep:` out"
NOT_SPEAKABLE = "{node}: only open numbers may be said; take `speech:` out"
MISSING_SCREEN = "no screen {name!r}; every pack needs one"
UNKNOWN_NODE_TARGET = "{node}: leads to {to!r}, which is no screen; name one that exists"
UNKNOWN_TARGET = "leads to {to!r}, which is no screen; name one that exists"
DUPLICATE_KEY = "{node}: key {key} stands twice on {channel}; renumber one"
NAVIGATION_KEY = "{node}: key {key} is navigation on {channel}; choose another"
UNKNOWN_ACTION = "{node}: unknown action {action!r}; write one of: {known}"
MISSING_EDGE = "{node}: outcome {outcome!r} has no edge; write `{outcome}: SCREEN` under `on:`"
UNREACHABLE_NODE = "{node}: nothing leads here; link it or take it out"
UNREACHABLE_FLOW = (
    "flow {flow!r} is listed and nothing leads to it; link it in screens.yaml or keywords.yaml, or take it out"
)
DEAD_END = "{node}: a dead end on {channel}: no option has a key there; give one a key or lead elsewhere"
MISSING_PROOF = "{node}: touches billing data unproven; write `needs: line` or stronger"
MISSING_ADDRESS_PROOF = "{node}: changes where bills or notices go; write `needs: address`"
MISSING_GATE = "{node} needs {proof!r}; name its screen under `gates:`"
MISSING_DIALOG = "{node}: no dialog comes by here; write one, or save one"

# What texts promise.
MISSING_KEYWORD = (
    "{name}: {word!r} is no keyword of this pack; take it out, write it in keywords.yaml, or under `capitals:`"
    " in languages/LANGUAGE.yaml"
)
NO_TEXTED_LOGIN = (
    "{name}: asks for a {word!r} by SMS, and this pack takes none; take it out, or write `password:` in"
    " keywords.yaml"
)
MISSING_PATH = "{name}: {path} leads nowhere in this pack; write {{ussd}}, or a path of screens.yaml"
MISSING_BILL_CODE = (
    "page.bill_how: no way to a code on {channel}; link code.request in screens.yaml or keywords.yaml, or take"
    " {{{channel}}} out"
)
UNREACHABLE_LANGUAGE = (
    "nothing leads to {language!r}; write a step with `action: language.choose` and `with: {language}` in"
    " screens.yaml, and an option that leads to it"
)

# Keywords.
RESERVED_WORD = "{words!r} is answered by the networks themselves and never reaches a menu; choose another"
DUPLICATE_WORD = "{words!r} stands twice; keep one, the second is never reached"

# Texts and recordings.
NOT_A_CATALOGUE = "a catalogue is a list of texts; write each as `name: text`"
EMPTY_TEXT = "a text is a string, or one string per channel; write `{name}: the words`"
UNKNOWN_CHANNEL = "unknown channel {channel!r}; write one of: {known}"
INVALID_TEXT = "a text is a string, or one string per channel or count; write the words"
UNKNOWN_CATEGORY = "unknown category {category!r}; write some of: {known}, and `by`"
MISSING_OTHER = "'other' is missing; write some of: {known}, and `by`"
MISSING_REQUIRED_TEXT = "text {name!r} is missing in {language}; write it in texts/{language}.yaml"
MISSING_NODE_TEXT = "{node}: text {name!r} is missing in {language}; write it in texts/{language}.yaml"
MISSING_PLURAL = "{name}: no words for {category!r} in {language}; write `{category}:` beside `other:`"
UNUSED_PLURAL = "{name}: {language} has no {category!r}; take it out"
UNKNOWN_SELECTOR = (
    "{name}: `by: {by}` names no fact; {instead} (a new one is declared in flows/selfcare/sample_facts.py)"
)
UNKNOWN_FACT = (
    "{name}: no fact is called {{{slot}}}; {instead} (a new one is declared in flows/selfcare/sample_facts.py)"
)
SCREEN_TOO_LONG = "{node} on {channel}: {units} units of {most}: {text!r}; shorten it"
END_HAS_PAGES = "{node} on {channel}: a last screen has one page, this has {pages}; shorten it"
FIRST_PAGE_EMPTY = (
    "{node} on {channel}: the first page shows none of its options, they begin on page 2; shorten the text"
)
OUTSIDE_GSM7 = (
    "{node} on {channel}: {letters!r} is outside GSM-7 and halves the room; write it with other letters"
)
SCRIPT_OUTSIDE_GSM7 = (
    "text {name!r} is not in GSM-7 in {language}: {letters!r}; write it in texts/{language}.yaml"
)
SPOKEN_FAULT = "text {name!r} is spoken {said!r}: {words!r}: {fault}"
RECORDING_LANGUAGE_UNKNOWN = "the pack does not speak {language!r}; take the folder out"
RECORDING_TEXT_UNKNOWN = "no text is called {name!r}; name the file after the text it says"
RECORDING_HAS_SLOTS = "{name!r} has slots, and a recording cannot fill them; take the file out"


def suggest_name(word: str, known: Iterable[str]) -> str:
    """Suggest the most similar known name, or list all of them."""
    names = sorted(known)
    close = get_close_matches(word, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"write one of: {', '.join(names)}"
