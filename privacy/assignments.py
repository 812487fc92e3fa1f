"""Values given to names such as ``password``, ``apiKey`` or ``CLIENT_SECRET``: in JSON, code, settings and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .rules import Match, Rule, form
from .wording import NAME_IN_CODE, SHORTEST_PASSWORD, made_up, password_like, placeholder, random_looking

KEYS_OF = ("access", "private", "auth", "account", "signing", "encryption", "master", "webhook", "service", "app")
NAMES = {
    "password": ("password", "passwd", "passphrase", "passcode", "pwd"),
    "api-key": ("apikey", "api_key", "api-key"),
    "token": ("token",),
    "secret": ("secret", "credential", *(f"{of}{joint}key" for of in KEYS_OF for joint in ("", "_", "-"))),
}
REST = r"[\w-]{0,24}"
# A quotation mark, escaped as often as JSON was put into JSON.
MARK = r"\\{0,31}[\"'`]"
ANNOTATED = r":[ ]?[A-Za-z][\w\[\]|. ]{0,24}="
GIVEN = rf"(?:{MARK})?\]?[ \t]{{0,8}}(?:{ANNOTATED}|[:?]?={{1,2}}>?|:)[ \t]{{0,8}}"
PASSED = rf"(?:{MARK})?[ \t]{{0,4}}[,(][ \t]{{0,4}}"
# Both take what is plain in long strides: floods of names would otherwise cost a step for every byte behind each.
IN_MARKS = (
    r"(?P<escape>\\{0,31})(?P<mark>[\"'`])"
    r"(?P<secret>(?:[^\s\\\"'`]++|(?!(?P=escape)(?P=mark))(?:[\"'`]|\\+[^\s\\]))++)(?P=escape)(?P=mark)"
)
# The same for the fast pass, which knows no limits: they cost it dear.
ROUGHLY = r"[\w-]*[\\\"'`\]]*[ \t]*(?::[ ]?[A-Za-z][\w\[\]|. ]*=|[:?]?=+>?|:)[ \t]*"
ROUGHLY_PASSED = r"[\w-]*[\\\"'`]*[ \t]*[,(][ \t]*"
UNMARKED = r"[^\s\"'`<>\\]{6}"
# What ends a sentence, a list or a call belongs to the value only when the value goes on behind it.
PLAIN = r"[^\s\"'`<>\\&,;:.)\]}]"
SPECIAL = r"(?:&(?!\w+=)|\\(?![abfnrtuv\"'`\\])\S)"
BARE = rf"(?P<secret>(?:{PLAIN}++|{SPECIAL}|[,;:.)\]}}]++(?={PLAIN}|{SPECIAL}))++)"
# Names of what is no secret itself: token_type, password_field, secrets_file.
ABOUT_IT = frozenset(
    b"""
    age arn budget class count dir directory error expires expiration expiry field file format hash header help hint id
    ids index input label len length limit link list manager message mgr msg name names num number page path pattern
    policy pos position prefix provider ref regex reset rule size status store suffix ttl type types uri url usage valid
    validator version
    """.split()
)
PIECE = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+")
CALL = re.compile(rb"[\w.:]*[(\[{]|[-+*/&|]")
SHORTEST = 8
FAR_BARE, FAR_IN_MARKS = 640, 4096


def about_it(rest: bytes) -> bool:
    """Whether the end of a name says that something else is meant: ``tokenizer``, ``password_type``."""
    another_word = rest[:1].isalpha() and rest.lower() != b"s" and rest[:1].islower() == rest[1:2].islower()
    return another_word or any(piece.lower() in ABOUT_IT for piece in PIECE.findall(rest))


def possible(match: Match) -> bool:
    value = match["secret"]
    return len(value) >= SHORTEST_PASSWORD and not (about_it(match["rest"]) or placeholder(value) or b"://" in value)


def password_in_marks(match: Match) -> bool:
    return possible(match) and password_like(match["secret"])


def secret_in_marks(match: Match) -> bool:
    return possible(match) and len(match["secret"]) >= SHORTEST and random_looking(match["secret"])


def bare_secret(match: Match) -> bool:
    """A value without marks is, in code, more often a name, a number or a call."""
    value = match["secret"]
    return not (NAME_IN_CODE.fullmatch(value) or CALL.match(value)) and secret_in_marks(match)


def bare_password(match: Match) -> bool:
    setting = match["name"].isupper() or match["given"].strip() in {b":", b"is"}
    return bare_secret(match) or (setting and made_up(match["secret"]) and possible(match))


def rules_for(kind: str, names: Sequence[str]) -> Iterator[Rule]:
    in_marks, bare = (secret_in_marks, bare_secret) if kind != "password" else (password_in_marks, bare_password)
    named = rf"(?P<name>(?i:{'|'.join(names)}))(?P<rest>{REST}+)"
    yield form(
        kind,
        [rf"(?i){name}(?:{ROUGHLY}|{ROUGHLY_PASSED})\\*[\"'`]\S{{6}}" for name in names],
        rf"{named}(?:{GIVEN}|{PASSED}){IN_MARKS}",
        in_marks,
        edge=False,
        reach=FAR_IN_MARKS,
    )
    yield form(
        kind,
        [rf"(?i){name}{ROUGHLY}{UNMARKED}" for name in names],
        rf"{named}(?P<given>{GIVEN}){BARE}",
        bare,
        edge=False,
        reach=FAR_BARE,
    )
    yield form(
        kind,
        [
            spelled
            for name in names
            for spelled in (rf"(?i)-{name}[\w-]*[ \t]+{UNMARKED}", rf"(?i){name} is[ \t]+{UNMARKED}")
        ],
        rf"-?{named}(?P<given>(?i: is)?[ \t]{{1,4}}){BARE}",
        bare,
        edge=False,
        reach=FAR_BARE,
    )
    yield form(
        kind,
        [rf"(?i){name}>[^\s<]{{6}}" for name in names],
        rf"(?P<name>(?i:{'|'.join(names)}))(?P<rest>)>(?P<secret>[^\s<]{{6,512}}+)</(?:[\w:-]{{0,32}}?)(?P=name)>",
        in_marks,
        edge=False,
        reach=FAR_IN_MARKS,
    )


NETRC = form(
    "password",
    r"login[ \t]{1,4}\S{1,64}\s{1,8}password[ \t]{1,4}\S{4}",
    r"login[ \t]{1,4}\S{1,64}\s{1,8}password[ \t]{1,4}(?P<secret>\S{4,512}+)",
    lambda match: not placeholder(match["secret"]) and password_like(match["secret"]),
)
ASSIGNMENTS: tuple[Rule, ...] = (*(rule for kind, names in NAMES.items() for rule in rules_for(kind, names)), NETRC)
