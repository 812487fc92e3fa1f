"""Rolls secrets of every type at run time, puts them into text as people and programs do, and gathers ordinary text.

No secret stands in this file: each is made of a pattern in pieces, and differs from run to run with the seed.
"""

from __future__ import annotations

import base64
import json
import random
import string
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ALNUM = string.ascii_letters + string.digits
KEBAB = ALNUM + "_-"
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"
UPPER = string.ascii_uppercase + string.digits

# Stand around the secret part of what was rolled, where that is not all of it.
FROM, TO = "\ue000", "\ue001"
Roll = Callable[[random.Random], str]


def some(dice: random.Random, letters: str, least: int, most: int = 0) -> str:
    return "".join(dice.choices(letters, k=dice.randint(least, max(least, most))))


def after(head: str, letters: str, least: int, most: int = 0) -> Roll:
    return lambda dice: head + some(dice, letters, least, most)


def key(label: str, lines: int) -> Roll:
    """A private key in PEM armour."""

    def roll(dice: random.Random) -> str:
        dashes = "-" * 5
        body = "\n".join(some(dice, BASE64, 64) for _ in range(lines))
        last = some(dice, BASE64, 20) + "=="
        name = f"{label} PRIVATE".strip() + " KEY" + (" BLOCK" if label == "PGP" else "")
        return f"{dashes}BEGIN {name}{dashes}\n{body}\n{last}\n{dashes}END {name}{dashes}"

    return roll


def web_token(dice: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return ".".join([part({"alg": "HS256", "typ": "JWT"}), part({"sub": some(dice, ALNUM, 12)}), some(dice, KEBAB, 43)])


def basic(dice: random.Random) -> str:
    pair = f"{some(dice, string.ascii_lowercase, 4, 10)}:{some(dice, ALNUM, 8, 20)}"
    return f"Authorization: Basic {FROM}{base64.b64encode(pair.encode()).decode()}{TO}"


def given(form: str, letters: str, least: int, most: int) -> Roll:
    """``form`` with a rolled value in place of ``VALUE``; the value has a digit, as most rules of sites ask for."""

    def roll(dice: random.Random) -> str:
        value = some(dice, letters, least - 1, most - 1)
        at = dice.randrange(1, len(value))
        return form.replace("VALUE", FROM + value[:at] + dice.choice(string.digits) + value[at:] + TO)

    return roll


def discord(dice: random.Random) -> str:
    number = str(dice.randrange(10**17, 10**18))
    return f"{base64.b64encode(number.encode()).decode()}.{some(dice, KEBAB, 6)}.{some(dice, KEBAB, 38)}"


def aws_secret(dice: random.Random) -> str:
    return some(dice, BASE64, 40)


TOKENS: dict[str, Roll] = {
    "anthropic": after("sk-" + "ant-api03-", KEBAB, 93),
    "openrouter": after("sk-" + "or-v1-", HEX, 64),
    "openai project": after("sk-" + "proj-", KEBAB, 48, 156),
    "openai": after("sk" + "-", ALNUM, 48),
    "sk with hex": after("sk" + "-", HEX, 32),
    "groq": after("gsk" + "_", ALNUM, 52),
    "xai": after("xai" + "-", ALNUM, 80),
    "replicate": after("r8" + "_", ALNUM, 37),
    "perplexity": after("pplx" + "-", ALNUM, 48),
    "hugging face": after("hf" + "_", ALNUM, 34),
    **{f"github {kind}": after(f"gh{kind}" + "_", ALNUM, 36) for kind in "pousr"},
    "github fine-grained": lambda dice: f"github{'_pat_'}{some(dice, ALNUM, 22)}_{some(dice, ALNUM, 59)}",
    "gitlab": after("glpat" + "-", KEBAB, 20),
    "slack bot": lambda dice: (
        f"xoxb{'-'}{some(dice, string.digits, 12)}-{some(dice, string.digits, 13)}-" + some(dice, ALNUM, 24)
    ),
    "slack user": lambda dice: f"xoxp{'-'}{some(dice, string.digits, 11)}-{some(dice, HEX, 32)}",
    "slack app": lambda dice: (
        f"xapp{'-'}1-A{some(dice, UPPER, 10)}-{some(dice, string.digits, 13)}-{some(dice, HEX, 64)}"
    ),
    "slack webhook": lambda dice: (
        "https://hooks.slack" + f".com/services/T{some(dice, UPPER, 8)}/B{some(dice, UPPER, 8)}/"
        f"{FROM}{some(dice, ALNUM, 24)}{TO}"
    ),
    "aws id": after("AKI" + "A", UPPER, 16),
    "aws session id": after("ASI" + "A", UPPER, 16),
    "aws secret": aws_secret,
    "google": after("AIz" + "a", KEBAB, 35),
    "google oauth": after("ya29" + ".", KEBAB, 60, 160),
    "stripe": after("sk_" + "live_", ALNUM, 24, 99),
    "stripe restricted": after("rk_" + "live_", ALNUM, 24, 99),
    "npm": after("npm" + "_", ALNUM, 36),
    "pypi": after("pypi" + "-AgEIcHlwaS5vcmc", KEBAB, 150),
    "notion": after("ntn" + "_", ALNUM, 46),
    "notion old": after("secret" + "_", ALNUM, 43),
    "linear": after("lin_" + "api_", ALNUM, 40),
    "sendgrid": lambda dice: f"SG{'.'}{some(dice, KEBAB, 22)}.{some(dice, KEBAB, 43)}",
    "twilio": after("S" + "K", HEX, 32),
    "telegram": lambda dice: f"{dice.randrange(10**8, 10**10)}:AA{some(dice, KEBAB, 33)}",
    "discord": discord,
    "jwt": web_token,
    "basic": basic,
    "bearer": given("Authorization: Bearer VALUE", ALNUM + "._~-", 24, 64),
    "address": given("postgres://app:VALUE@db.example.com:5432/app", ALNUM, 8, 24),
    "address with signs": given("https://deploy:VALUE@registry.example.com/v2", ALNUM + "!$*+~-_.", 10, 24),
    "azure": lambda dice: "AccountName=store;Account" + f"Key={FROM}{some(dice, BASE64, 86)}=={TO};EndpointSuffix=core",
    "digitalocean": after("dop_" + "v1_", HEX, 64),
    "shopify": after("shpat" + "_", HEX, 32),
    "databricks": after("dap" + "i", HEX, 32),
    "vault": after("hvs" + ".", KEBAB, 90, 120),
    "age": after("AGE-SECRET-" + "KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "terraform": lambda dice: f"{some(dice, ALNUM, 14)}.atlas{'v1'}.{some(dice, KEBAB, 67)}",
    "docker": after("dckr_" + "pat_", KEBAB, 27),
    "supabase": after("sbp" + "_", HEX, 40),
    "vercel": given("VERCEL_TOKEN=VALUE", ALNUM, 24, 24),
    "mailgun": after("key" + "-", HEX, 32),
    "hex beside a key word": lambda dice: f"api key: {FROM}{some(dice, HEX, dice.choice([32, 40, 64]))}{TO}",
    "hex key in marks": lambda dice: f'secret_key = "{FROM}{some(dice, HEX, 64)}{TO}"',
    "json password": given('{"user": "app", "password": "VALUE"}', ALNUM + "!#%&*+-", 10, 20),
    "assigned password": given("DB_PASSWORD=VALUE", ALNUM, 10, 24),
    "passwd": given("passwd: VALUE", ALNUM, 12, 24),
    "json apiKey": given('{"apiKey": "VALUE"}', ALNUM, 20, 40),
    "api_key in code": given("client = Client(api_key='VALUE')", ALNUM, 20, 40),
    "client_secret": given('client_secret: "VALUE"', ALNUM + "~._-", 32, 40),
    "token in settings": given("token = VALUE", ALNUM, 20, 40),
    "token in a query": given("https://example.com/hook?token=VALUE&page=2", ALNUM, 20, 40),
    "option of a command": given("deploy --password VALUE --force", ALNUM, 10, 20),
}
KEYS: dict[str, Roll] = {
    "rsa key": key("RSA", 24),
    "pkcs8 key": key("", 24),
    "encrypted key": key("ENCRYPTED", 24),
    "ec key": key("EC", 2),
    "dsa key": key("DSA", 10),
    "openssh key": key("OPENSSH", 5),
    "pgp key": key("PGP", 30),
}
TYPES = {**TOKENS, **KEYS}


def in_json(text: str) -> str:
    return json.dumps({"role": "tool", "content": f"first line\n{text}\nlast line"})


def with_every_slash(text: str) -> str:
    """As PHP and others write JSON."""
    return json.dumps({"content": text}).replace("/", "\\/")


def with_code_points(text: str) -> str:
    r"""JSON that spells every sign as \uXXXX, as careful encoders do."""
    return '{"content": "' + "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text) + '"}'


SURROUNDINGS: dict[str, Callable[[str], str]] = {
    "prose": lambda text: f"Then I used {text} and it worked.",
    "own line": lambda text: f"some output\n{text}\nmore output",
    "marks": lambda text: f'value: "{text}",' if '"' not in text else f"value: {text} ,",
    "json": in_json,
    "json in json": lambda text: in_json(in_json(text)),
    "json in json in json": lambda text: in_json(in_json(in_json(text))),
    "json with slashes": with_every_slash,
    "json with code points": with_code_points,
    "base64": lambda text: f"data: {base64.b64encode(text.encode()).decode()}\n",
    "base64 of json": lambda text: f'"{base64.b64encode(in_json(text).encode()).decode()}"',
    "base64 in lines": lambda text: "\n".join(_cut(base64.b64encode(in_json(text).encode()).decode(), 76)),
}


def _cut(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


@dataclass(frozen=True)
class Planted:
    """A text with one secret in it."""

    type: str
    surroundings: str
    text: str
    secret: str

    def left_in(self, text: str) -> bool:
        """Whether ``text`` still shows eight characters of the secret in a row."""
        ends = range(8, len(self.secret) + 1)
        return any(self.secret[end - 8 : end] in text for end in ends if self.secret[end - 8 : end].isalnum())


def planted(seed: int, rounds: int) -> Iterator[Planted]:
    """Every type in all its surroundings, ``rounds`` times."""
    dice = random.Random(seed)
    for _ in range(rounds):
        for kind, roll in TYPES.items():
            for name, put in SURROUNDINGS.items():
                rolled = roll(dice)
                secret = rolled.partition(FROM)[2].partition(TO)[0] or rolled
                yield Planted(kind, name, put(rolled.replace(FROM, "").replace(TO, "")), secret)


def ordinary(megabytes: float) -> Iterator[str]:
    """Prose and code as it lies around: the standard library, then documents and code of what is installed."""
    paths = sysconfig.get_paths()
    installed = Path(paths["purelib"])
    library = [path for path in sorted(Path(paths["stdlib"]).rglob("*.py")) if "site-packages" not in path.parts]
    others = [path for kind in ("md", "rst", "txt", "py") for path in sorted(installed.rglob(f"*.{kind}"))]
    left = megabytes * 1e6
    for path in [*library, *others]:
        if left <= 0:
            return
        text = path.read_text(encoding="utf-8", errors="replace")
        left -= path.stat().st_size
        yield text
