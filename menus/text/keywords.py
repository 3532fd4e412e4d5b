"""SMS keyword parser: matches a body against the pack's keywords, ignoring case, accents and spaces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from menus.packfile.schema import KeywordForm, KeywordsFile
from menus.text.input_parsing import as_digits, as_email, folded, month_like, number_like

RESERVED = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "start", "yes", "unstop", "help", "info"}
)
"""Words that networks and Twilio answer themselves (Twilio's default opt-out list) and never deliver."""


def _pair(tokens: Sequence[str]) -> str | None:
    """Parse a phone number and a code of 4 to 12 digits, neither with spaces inside."""
    number = number_like(tokens[0]) if len(tokens) == 2 else None
    code = as_digits(tokens[1], 4, 12) if number else None
    return f"{number} {code}" if code else None


MOST_TEXT = 40
"""Most characters of a free text after a keyword."""
ARGUMENTS: Mapping[str, Callable[[str], str | None]] = {
    "email": as_email,
    "digits": lambda text: as_digits(text, 1, 20),
    "msisdn": number_like,
    "msisdn_code": lambda text: _pair(text.split()),
    "month": month_like,
    "text": lambda text: text if len(text) <= MOST_TEXT else None,
}
"""Parser of the text after a keyword, by the keyword's `takes`; None for text it does not accept."""
SECRETS = frozenset({"msisdn_code"})
"""Argument types that contain a secret."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Match of an SMS body: the node it leads to and the argument behind the keyword."""

    to: str
    typed: str = field(default="", repr=False)
    keep: str = ""
    """Name of the fact the argument is stored as; empty for none."""
    secret: bool = False
    """Whether the argument is a secret: it is handed to the next step and never stored."""


@dataclass(frozen=True)
class Keywords:
    """The compiled keywords of a pack."""

    form: KeywordsFile
    exact_targets: Mapping[str, str] = field(init=False)
    """Node by normalised keyword, for keywords without an argument."""
    argument_keywords: Sequence[tuple[list[str], KeywordForm]] = field(init=False)
    """Folded words of each keyword that takes an argument."""

    def __post_init__(self) -> None:
        pairs = [(words, keyword) for keyword in self.form.keywords for words in keyword.words]
        exact = {squeezed(words): keyword.to for words, keyword in pairs if not keyword.takes}
        with_argument = [(folded(words).split(), keyword) for words, keyword in pairs if keyword.takes]
        object.__setattr__(self, "exact_targets", exact)
        object.__setattr__(self, "argument_keywords", with_argument)

    @property
    def targets(self) -> list[str]:
        """All nodes an SMS may lead to."""
        words = [to for keyword in self.form.keywords for to in (keyword.to, keyword.otherwise) if to]
        password = [self.form.password.to] if self.form.password else []
        return [*words, self.form.otherwise, *password]

    def meaning(self, body: str) -> Meaning | None:
        """Match the body against the keywords; None when it is none."""
        target = self.exact_targets.get(squeezed(body))
        return Meaning(target) if target else self._with_argument(body.split())

    def password(self, body: str) -> Meaning | None:
        """Match the body as a password if it has the form of one: one word, with letters and digits."""
        rule, text = self.form.password, body.strip()
        if rule is None or not rule.least <= len(text) <= rule.most or len(text.split()) != 1:
            return None
        has_both = any(map(str.isalpha, text)) and any(map(str.isdecimal, text))
        return Meaning(rule.to, text, secret=True) if has_both else None

    def _with_argument(self, tokens: list[str]) -> Meaning | None:
        """Match a keyword and its argument; if no keyword accepts the argument, the first one's `otherwise`."""
        otherwise = None
        for words, keyword in self.argument_keywords:
            head, rest = tokens[: len(words)], tokens[len(words) :]
            if rest and [folded(token) for token in head] == words:
                value = ARGUMENTS[keyword.takes or ""](" ".join(rest))
                if value:
                    return Meaning(keyword.to, value, keyword.keep or "", secret=keyword.takes in SECRETS)
                otherwise = otherwise or keyword.otherwise
        return Meaning(otherwise) if otherwise else None


def squeezed(words: str) -> str:
    """Fold a keyword and remove its spaces: `Fact 6`, `FACT6` and `fact-6` are one keyword."""
    return folded(words).replace(" ", "")
