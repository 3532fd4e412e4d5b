"""SMS keyword parser: matches a body against the pack's keywords, ignoring case, accents and spaces."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from menus.packfile.schema import KeywordForm, KeywordsFile
from menus.text.input_parsing import fold_word, parse_digits, parse_email, possible_month, possible_number

RESERVED_WORDS = frozenset(
    {
        *("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"),
        *("start", "yes", "unstop", "help", "info"),
    }
)
"""Words that networks and Twilio answer themselves (Twilio's default opt-out list) and never deliver."""


def _parse_number_and_code(tokens: Sequence[str]) -> str | None:
    """Parse a phone number and a code of 4 to 12 digits, neither with spaces inside."""
    number = possible_number(tokens[0]) if len(tokens) == 2 else None
    code = parse_digits(tokens[1], 4, 12) if number else None
    return f"{number} {code}" if code else None


MAX_TEXT_LENGTH = 40
"""Most characters of a free text after a keyword."""
_WORD = re.compile(r"[^\s:=]+")
_AROUND_ADDRESS = " \t:;,.<>()\"'"
"""What people write around an address."""


def parse_texted_email(text: str) -> str | None:
    """Parse an e-mail address, whatever punctuation stands around it; None when it is not valid."""
    return parse_email(text.strip(_AROUND_ADDRESS))


ARGUMENT_PARSERS: Mapping[str, Callable[[str], str | None]] = {
    "email": parse_texted_email,
    "digits": lambda text: parse_digits(text, 1, 20),
    "msisdn": possible_number,
    "msisdn_code": lambda text: _parse_number_and_code(text.split()),
    "month": possible_month,
    "text": lambda text: text if len(text) <= MAX_TEXT_LENGTH else None,
}
"""Parser of the text after a keyword, by the keyword's `takes`; None for text it does not accept."""
SECRET_ARGUMENTS = frozenset({"msisdn_code"})
"""Argument types that contain a secret."""


@dataclass(frozen=True, slots=True)
class KeywordMatch:
    """Match of an SMS body: the node it leads to and the argument behind the keyword."""

    target: str
    argument: str = field(default="", repr=False)
    fact_name: str = ""
    """Name of the fact the argument is stored as; empty for none."""
    is_secret: bool = False
    """Whether the argument is a secret: it is handed to the next step and never stored."""


@dataclass(frozen=True)
class KeywordTable:
    """The compiled keywords of a pack."""

    config: KeywordsFile
    exact_targets: Mapping[str, str] = field(init=False)
    """Node by normalised keyword, for keywords without an argument."""
    argument_keywords: Sequence[tuple[list[str], KeywordForm]] = field(init=False)
    """Folded words of each keyword that takes an argument."""

    def __post_init__(self) -> None:
        pairs = [(words, keyword) for keyword in self.config.keywords for words in keyword.words]
        exact = {normalise_keyword(words): keyword.to for words, keyword in pairs if not keyword.takes}
        with_argument = [(fold_word(words).split(), keyword) for words, keyword in pairs if keyword.takes]
        object.__setattr__(self, "exact_targets", exact)
        object.__setattr__(self, "argument_keywords", with_argument)

    @property
    def targets(self) -> list[str]:
        """All nodes an SMS may lead to."""
        words = [to for keyword in self.config.keywords for to in (keyword.to, keyword.otherwise) if to]
        password = [self.config.password.to] if self.config.password else []
        code = [self.config.code.to] if self.config.code else []
        address = [self.config.address.to, self.config.address.otherwise] if self.config.address else []
        return [*words, self.config.otherwise, *password, *code, *address]

    def match_keyword(self, body: str) -> KeywordMatch | None:
        """Match the body against the keywords; None when it is none."""
        target = self.exact_targets.get(normalise_keyword(body))
        return KeywordMatch(target) if target else self._match_with_argument(body)

    def match_bare_text(self, body: str) -> KeywordMatch | None:
        """Match a body without a keyword: a code, an address, a password, or what is meant for an address."""
        return (
            self.match_code(body)
            or self.match_address(body)
            or self.match_password(body)
            or self.match_broken_address(body)
        )

    def match_address(self, body: str) -> KeywordMatch | None:
        """Match a body that is an e-mail address and nothing else."""
        rule, address = self.config.address, parse_texted_email(body)
        return KeywordMatch(rule.to, address, rule.keep or "") if rule and address else None

    def match_broken_address(self, body: str) -> KeywordMatch | None:
        """Match a body that seems to be meant for an e-mail address and is none."""
        rule = self.config.address
        return KeywordMatch(rule.otherwise, body.strip()[:MAX_TEXT_LENGTH]) if rule and "@" in body else None

    def match_code(self, body: str) -> KeywordMatch | None:
        """Match a body that is a one-time code and nothing else."""
        rule = self.config.code
        digits = parse_digits(body, rule.least, rule.most) if rule and len(body.split()) == 1 else None
        return KeywordMatch(rule.to, digits, is_secret=True) if rule and digits else None

    def match_password(self, body: str) -> KeywordMatch | None:
        """Match the body as a password if it has the form of one: one word, with letters and digits."""
        rule, text = self.config.password, body.strip()
        if rule is None or not rule.least <= len(text) <= rule.most or len(text.split()) != 1:
            return None
        has_both = any(map(str.isalpha, text)) and any(map(str.isdecimal, text))
        return KeywordMatch(rule.to, text, is_secret=True) if has_both else None

    def _match_with_argument(self, body: str) -> KeywordMatch | None:
        """Match a keyword and its argument; if no keyword accepts the argument, the first one's `otherwise`.

        A colon or an equals sign may stand between them.
        """
        tokens = list(_WORD.finditer(body))
        otherwise = None
        for words, keyword in self.argument_keywords:
            head, rest = tokens[: len(words)], tokens[len(words) :]
            if rest and [fold_word(token[0]) for token in head] == words:
                text = " ".join(body[rest[0].start() :].split())
                value = ARGUMENT_PARSERS[keyword.takes or ""](text)
                if value:
                    return KeywordMatch(
                        keyword.to, value, keyword.keep or "", is_secret=keyword.takes in SECRET_ARGUMENTS
                    )
                if keyword.otherwise and otherwise is None:
                    otherwise = KeywordMatch(keyword.otherwise, text[:MAX_TEXT_LENGTH])
        return otherwise


def normalise_keyword(words: str) -> str:
    """Fold a keyword and remove its spaces: `Fact 6`, `FACT6` and `fact-6` are one keyword."""
    return fold_word(words).replace(" ", "")
