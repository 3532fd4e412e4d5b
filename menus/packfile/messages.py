"""Messages of the pack linter (`dialtree check`), for operators' staff who do not program.

Each says what is wrong, then what to write instead. Names in braces are filled in where the fault is found.
"""

from collections.abc import Iterable
from difflib import get_close_matches

# A file that cannot be read.
NO_FILE = "no such file; every pack needs it"
TOO_BIG = "{bytes} bytes; a file may have {most}: split it"
NOT_UTF8 = "not UTF-8 at byte {byte}; save it as UTF-8"
NOT_YAML = "not YAML: {problem}; look at the indent, the quotes and the brackets here"
ALIAS = "aliases (*name) are not allowed; write the value out"
TAG = "tags (!name) are not allowed; write a plain value"
TOO_DEEP = "nested deeper than {most}; flatten it"
TOO_MANY = "more than {most} values; split the file"
KEY_TWICE = "duplicate key {name!r}; keep one of them"

# A field that does not match the schema of its file.
UNKNOWN_FIELD = "unknown field {name!r}; {instead}"
MISSING_FIELD = "{name!r} is missing; write it"
NOT_ONE_OF = "{given} is not known here; write one of: {known}"
WRONG_FORM = "{given} has the wrong form; write {example}"
NO_TEXT = "{field} takes a text; write one behind it"
NO_NUMBER = "{given} is no whole number; write one like 3"
NO_SWITCH = "{given} is neither yes nor no; write true or false"
NO_LIST = "{field} takes a list; write each of its rows on a line of its own, beginning with -"
NO_FIELDS = "{field} takes fields; write them indented below it, each as `name: value`"
TOO_FEW = "{field} is empty; write at least one"
AT_LEAST = "{given} is too little; write {bound} or more"
AT_MOST = "{given} is too much; write {bound} or less"
UNFIT = "{field} is not as it should be: {why}"
NO_ZONE = "{given} is not a time zone; write one like Europe/Bucharest"
UNKNOWN_FLOW = "unknown flow {flow!r}; {instead}"
NO_TONGUE = "{language} can be neither written nor spoken: {why}; mend its locale, day, money or units"
NO_FALLBACK = "cannot fall back to {to!r}; name another language of the pack, and no circle"

# A node that is incomplete or does not match the others.
NO_OPTIONS = "{node}: a choice without options; write `options:` or make it a message"
MISPLACED_ACCEPT = "{node}: `accept:` belongs to an input, and every input needs one"
MISPLACED_ACTION = "{node}: `action:` belongs to a step, and every step needs one"
NO_VIA = "{node}: a hand-over without `via:`; write agent, sms, voice or ussd"
NEVER_KEPT = "{node}: a secret is never kept; take `keep:` out"
NOT_SAID = "{node}: only open numbers may be said; take `speech:` out"
NO_SCREEN = "no screen {name!r}; every pack needs one"
NOWHERE = "{node}: leads to {to!r}, which is no screen; name one that exists"
LEADS_NOWHERE = "leads to {to!r}, which is no screen; name one that exists"
SAME_KEY = "{node}: key {key} stands twice on {channel}; renumber one"
NAVIGATION_KEY = "{node}: key {key} is navigation on {channel}; choose another"
UNKNOWN_ACTION = "{node}: unknown action {action!r}; write one of: {known}"
NO_EDGE = "{node}: outcome {outcome!r} has no edge; write `{outcome}: SCREEN` under `on:`"
UNREACHED = "{node}: nothing leads here; link it or take it out"
UNREACHED_FLOW = "flow {flow!r} is listed and nothing leads to it; link it or take it out"
DEAD_END = "{node}: a dead end on {channel}: no option has a key there; give one a key or lead elsewhere"
UNPROVEN = "{node}: touches billing data unproven; write `needs: line` or stronger"
NO_GATE = "{node} needs {proof!r}; name its screen under `gates:`"
NO_DIALOG = "{node}: no dialog comes by here; write one, or save one"

# Keywords.
RESERVED_WORD = "{words!r} is answered by the networks themselves and never reaches a menu; choose another"
WORD_TWICE = "{words!r} stands twice; keep one"

# Texts and recordings.
NO_CATALOGUE = "a catalogue is a list of texts; write each as `name: text`"
NO_WORDS = "a text is a string, or one string per channel; write `{name}: the words`"
UNKNOWN_CHANNEL = "unknown channel {channel!r}; write one of: {known}"
NOT_WORDED = "a text is a string, or one string per channel or count; write the words"
UNKNOWN_COUNT = "unknown category {category!r}; write some of: {known}, and `by`"
NO_OTHER = "'other' is missing; write some of: {known}, and `by`"
NEEDED_TEXT = "text {name!r} is missing in {language}; write it in texts/{language}.yaml"
MISSING_TEXT = "{node}: text {name!r} is missing in {language}; write it in texts/{language}.yaml"
NO_COUNT = "{name}: no words for {category!r} in {language}; write `{category}:` beside `other:`"
SPARE_COUNT = "{name}: {language} has no {category!r}; take it out"
NO_SLOT = "{name}: `by: {by}` names no slot of the text; name one that stands in it in braces"
NO_FACT = "{name}: no fact is called {{{slot}}}; {instead}"
OVERFLOW = "{node} on {channel}: {units} units of {most}: {text!r}; shorten it"
LAST_PAGES = "{node} on {channel}: a last screen has one page, this has {pages}; shorten it"
HALVED = "{node} on {channel}: {letters!r} is outside GSM-7 and halves the room; write it with other letters"
UNSCRIPTED = "text {name!r} is not in GSM-7 in {language}: {letters!r}; write it in texts/{language}.yaml"
NOT_SPOKEN = "the pack does not speak {language!r}; take the folder out"
NO_SUCH_TEXT = "no text is called {name!r}; name the file after the text it says"
SLOTS = "{name!r} has slots, and a recording cannot fill them; take the file out"


def instead(word: str, known: Iterable[str]) -> str:
    """Suggest the most similar known name, or list all of them."""
    names = sorted(known)
    close = get_close_matches(word, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"write one of: {', '.join(names)}"
