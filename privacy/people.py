"""What tells people apart: e-mail addresses, home folders, and the names of this machine and its user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .matching import Trigger
from .rules import EDGE, Match, Rule, form

SHORTEST_NAME = 3
# Names that half of all machines share tell nobody apart, and stand in text for other reasons.
NOBODY = frozenset(
    """
    admin administrator build container daemon debian default docker home host hermes local localhost machine main node
    nobody python root runner server system test ubuntu user users vagrant work www-data
    """.split()  # noqa: SIM905 - forty quotation marks tell nothing
)
NAME = r"[\w.\x80-\xff-]"
LABEL = r"[0-9A-Za-z\x80-\xff-]{1,63}"
LOCAL = bytes({*range(0x80, 0x100), *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz.%+-"})
SLASH = r"(?:/|\\{1,31})"
# Systemd writes its units like addresses; the user git on a server of code is everybody.
NO_ADDRESS = re.compile(rb"git@.*|.*\.(?:mount|path|scope|service|slice|socket|swap|target|timer)", re.DOTALL)
IN_AN_ADDRESS = re.compile(rb"://[^\s/]*$")


@dataclass(frozen=True)
class Identity:
    """The names to be replaced wherever they stand as words of their own. Empty ones are left out."""

    user: str = ""
    host: str = ""
    home: str = ""

    @staticmethod
    def here() -> Identity:
        """Of this machine and the user of this process."""
        return _here()


@lru_cache(maxsize=1)
def _here() -> Identity:
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a user id without a name
        user = ""
    return Identity(user, socket.gethostname(), str(Path.home()))


def somebody(match: Match) -> bool:
    """Whether it is an address of a person, and not a user and a password before the host of a URL."""
    before = match.string[max(0, match.start() - 80) : match.start()]
    return not (NO_ADDRESS.fullmatch(match["secret"]) or IN_AN_ADDRESS.search(before))


def somebodys_home(match: Match) -> bool:
    return match["name"] not in {b"Shared", b"Public", b"linuxbrew"} and bool(match["name"].strip(b".-_"))


PEOPLE: tuple[Rule, ...] = (
    form(
        "email",
        rf"@{LABEL}\.[A-Za-z]{{2}}",
        rf"(?P<secret>[\w.%+\x80-\xff-]{{1,64}}@(?:{LABEL}\.)+[A-Za-z]{{2,24}})(?![0-9A-Za-z(])",
        somebody,
        edge=False,
        before=LOCAL,
    ),
    form("home", rf"/(?:home|Users)/{NAME}", rf"(?P<secret>/(?:home|Users)/(?P<name>{NAME}{{1,64}}+))", somebodys_home),
    form(
        "home",
        rf"[A-Za-z]:{SLASH}Users{SLASH}{NAME}",
        rf"(?P<secret>[A-Za-z]:{SLASH}Users{SLASH}(?P<name>{NAME}{{1,64}}+))",
        somebodys_home,
    ),
    form("home", r"/root[^\w]", r"(?P<secret>/root)(?![\w.-])"),
    # How coding agents name the folder they keep a project's sessions in.
    form("home", r"/-(?:home|Users)-[0-9A-Za-z]", r"/(?P<secret>-(?:home|Users)-[0-9A-Za-z_.]{1,64}+)", edge=False),
    form(
        "login",
        r"@[0-9A-Za-z][0-9A-Za-z.-]{0,62}:[~/]",
        rf"(?P<secret>{NAME}{{1,32}}@[0-9A-Za-z][0-9A-Za-z.-]{{0,62}})(?=:[~/])",
        somebody,
        before=LOCAL,
    ),
)


def named(kind: str, name: str) -> Rule:
    """Finds one name as a word of its own, however it is capitalised."""
    spelled = "".join(rf"\x{byte:02x}" for byte in name.encode("utf-8", "surrogatepass"))
    exact = EDGE + rf"(?P<secret>(?i:{spelled}))(?![0-9A-Za-z])".encode()
    return Rule(kind, (Trigger(rf"(?i){spelled}".encode(), len(spelled) // 4),), exact)


def rules_about(who: Identity) -> tuple[Rule, ...]:
    """The rules for personal data: those for everybody, and those for the names of ``who``."""
    names = [("home", who.home), ("host", who.host), ("host", who.host.partition(".")[0]), ("user", who.user)]
    return (
        tuple(named(kind, name) for kind, name in names if len(name) >= SHORTEST_NAME and name.lower() not in NOBODY)
        + PEOPLE
    )
