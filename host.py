"""Everything this project asks of Hermes, the host: homes, profiles, configuration. No other module imports it."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import ModelUnavailable, SettingsInvalid, UnknownProfile
from .settings import PLUGIN, Settings, parse_settings

_YOUNG_NS = 1_000_000_000
"""A file younger than this may change once more within what its times can tell apart."""
_REASONING = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL)
"""What servers without a parser for it leave in front of an answer."""


@dataclass(frozen=True)
class Profile:
    """One Hermes profile: its name and its home directory, symlinks resolved."""

    name: str
    home: Path


def root() -> Path:
    """The machine-wide Hermes home, whichever profile is active."""
    from hermes_constants import get_default_hermes_root

    return Path(get_default_hermes_root())


def active_home() -> Path:
    """The home of the profile this process serves right now."""
    from hermes_constants import get_hermes_home

    return Path(get_hermes_home())


def data_dir() -> Path:
    """Where all our data lives: ``<root>/ratchet``; not created here."""
    return root() / "ratchet"


def profiles() -> list[Profile]:
    """Every profile of this machine, the default one first; a second name for the same home is not one of its own."""
    from hermes_cli.profiles import profiles_to_serve

    found: dict[Path, Profile] = {}
    for name, home in profiles_to_serve(True):
        resolved = Path(home).resolve()
        found.setdefault(resolved, Profile(name, resolved))
    return list(found.values())


def profile(name: str) -> Profile:
    """The profile called ``name``. Raises UnknownProfile and says which ones there are."""
    known = profiles()
    for candidate in known:
        if candidate.name == name:
            return candidate
    names = ", ".join(p.name for p in known)
    raise UnknownProfile(f"There is no profile '{name}' here. Known: {names}.", profile=name)


def active_profile() -> Profile:
    """The profile whose home this process serves; ``default`` when the home belongs to none by name."""
    home = active_home().resolve()
    known = profiles()
    return next((p for p in known if p.home == home), known[0])


def config(home: Path) -> Mapping[str, Any]:
    """The parsed ``config.yaml`` of a home, empty when there is none. Raises SettingsInvalid when it is not YAML.

    The mapping may be shared: nobody changes it.
    """
    path = home / "config.yaml"
    try:
        facts = path.stat()
    except FileNotFoundError:
        return {}
    if not stat.S_ISREG(facts.st_mode):
        raise SettingsInvalid(f"{path} is no regular file. Put the configuration back and try again.")
    if time.time_ns() - facts.st_mtime_ns < _YOUNG_NS:
        return _parsed(path)
    return _parsed_once(path, (facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size))


@lru_cache(maxsize=64)
def _parsed_once(path: Path, _state: tuple[int, ...]) -> Mapping[str, Any]:
    """Reading a long file of settings takes many times what a request may."""
    return _parsed(path)


def _parsed(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read ({error.strerror}). Correct that and try again.") from None
    except RecursionError:
        raise SettingsInvalid(f"{path} is nested too deeply to be a configuration. Correct it and try again.") from None
    except (yaml.YAMLError, ValueError) as error:  # a date or a number may be none that Python can hold
        raise SettingsInvalid(f"{path} cannot be read as YAML ({error}). Correct it and try again.") from None
    return parsed if isinstance(parsed, Mapping) else {}


def _section(parent: object, key: str) -> Any:
    return parent.get(key) if isinstance(parent, Mapping) else None


def settings() -> Settings:
    """Our settings, always those of the root home. Raises SettingsInvalid."""
    entries = _section(_section(config(root()), "plugins"), "entries")
    return parse_settings(_section(entries, PLUGIN))


def memory_writes_are_staged(home: Path) -> bool:
    """Whether the host keeps its own hands off this profile's memory until a person agrees."""
    return _section(_section(config(home), "memory"), "write_approval") is True


def plugin_enabled(home: Path) -> bool:
    """Whether this home's configuration lets the plugin load."""
    plugins = _section(config(home), "plugins")
    return PLUGIN in _names(plugins, "enabled") and PLUGIN not in _names(plugins, "disabled")


def _names(section: object, key: str) -> list[object]:
    """A list of the configuration; empty when a person wrote something else there."""
    found = _section(section, key)
    return found if isinstance(found, list) else []


def socket_is_allowed(socket: Any) -> bool:
    """Whether the dashboard admits this WebSocket: its credential, its Host, its Origin and where it comes from."""
    from hermes_cli import web_server

    return bool(web_server._ws_auth_ok(socket) and web_server._ws_request_is_allowed(socket))


@dataclass(frozen=True)
class ModelRoute:
    """Which model a configuration asks for. An empty name leaves that choice to the host."""

    provider: str
    model: str
    base_url: str


@dataclass(frozen=True)
class ModelReply:
    """One answer of a model. ``model`` is what the provider says has answered, empty when it does not say.

    Token figures are the provider's, None when it gave none; ``cost_micro_usd`` is None when no price is known.
    """

    text: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    seconds: float


def auxiliary_route(task: str) -> ModelRoute | None:
    """The model that ``auxiliary.<task>`` of the root home names; None when it leaves the choice to the host."""
    section = _section(_section(config(root()), "auxiliary"), task)
    route = _route(section, "model")
    return None if route.model.lower() in ("", "auto") else route


def main_route() -> ModelRoute:
    """The root home's main model, which answers every auxiliary task that names none."""
    model = _section(config(root()), "model")
    return _route({"default": model} if isinstance(model, str) else model, "default", "model")


def _route(section: object, *names: str) -> ModelRoute:
    model = next((found for name in names if (found := _word(section, name))), "")
    return ModelRoute(_word(section, "provider").lower(), model, _word(section, "base_url"))


def _word(section: object, key: str) -> str:
    return str(_section(section, key) or "").strip()


def ask_model(task: str, messages: Sequence[Mapping[str, str]]) -> ModelReply:
    """One answer of the model of ``auxiliary.<task>``, as the root home has it whatever profile this process serves.

    The host may let another model answer when that one cannot: look at ``model``. Raises ModelUnavailable.
    """
    from agent.auxiliary_client import call_llm

    started = time.monotonic()
    with _as_root_home():
        try:
            response = call_llm(task=task, messages=[dict(message) for message in messages])
            text = _REASONING.sub("", response.choices[0].message.content or "", count=1)
        except Exception as error:  # three client libraries and the host itself, each with errors of its own
            raise ModelUnavailable(_no_answer(task, error), task=task) from error
        route = auxiliary_route(task) or main_route()
        seconds = time.monotonic() - started
        model = str(getattr(response, "model", None) or "")
        return ModelReply(text, model, *_usage(getattr(response, "usage", None), model, route), seconds)


def _no_answer(task: str, error: Exception) -> str:
    """Without the error's own text: providers repeat keys in it."""
    status = getattr(error, "status_code", None)
    kind = f"{type(error).__name__}, HTTP status {status}" if status else type(error).__name__
    return (
        f"The model of auxiliary.{task} did not answer ({kind}). Check its provider, address and key in the root "
        "home's config.yaml and .env; from another profile, run the command as: hermes -p default ratchet ..."
    )


@contextmanager
def _as_root_home() -> Iterator[None]:
    """The root home's configuration for this thread; its .env too when this process serves no other profile."""
    from hermes_constants import reset_hermes_home_override, set_hermes_home_override

    if active_home().resolve() == root().resolve():
        _load_variables(root())
    token = set_hermes_home_override(root())
    try:
        yield
    finally:
        reset_hermes_home_override(token)


@lru_cache(maxsize=1)
def _load_variables(home: Path) -> None:
    from hermes_cli.env_loader import load_hermes_dotenv

    load_hermes_dotenv(hermes_home=home)


def _usage(usage: Any, model: str, route: ModelRoute) -> tuple[int | None, int | None, int | None]:
    """Input tokens, output tokens and micro-dollars: the provider's own price first, then what the host knows."""
    from agent.usage_pricing import estimate_usage_cost, normalize_usage

    if not usage:
        return None, None, None
    tokens = normalize_usage(usage, provider=route.provider)
    if (charged := getattr(usage, "cost", None)) is not None:
        return tokens.prompt_tokens, tokens.output_tokens, _micro_dollars(charged)
    if not _has_price(model, route):
        return tokens.prompt_tokens, tokens.output_tokens, None
    known = estimate_usage_cost(model, tokens, provider=route.provider, base_url=route.base_url)
    price = None if known.status == "unknown" else _micro_dollars(known.amount_usd)
    return tokens.prompt_tokens, tokens.output_tokens, price


@lru_cache(maxsize=64)
def _has_price(model: str, route: ModelRoute) -> bool:
    """Asked once per model: the host may look for a price at the provider."""
    from agent.usage_pricing import has_known_pricing

    return bool(has_known_pricing(model, provider=route.provider, base_url=route.base_url))


def _micro_dollars(amount: object) -> int | None:
    try:
        return round(Decimal(str(amount)) * 1_000_000)
    except (ArithmeticError, ValueError, OverflowError):
        return None


def default_identity() -> str:
    """The text the host puts first into the prompt of a profile without SOUL.md."""
    from agent.prompt_builder import DEFAULT_AGENT_IDENTITY

    return str(DEFAULT_AGENT_IDENTITY)


def chat_of_turn() -> str:
    """The host's key of the chat whose turn this thread carries out, empty where there are none. Imports nothing."""
    context = sys.modules.get("gateway.session_context")
    return str(context.get_session_env("HERMES_SESSION_KEY") or "") if context else ""


def chat_of_message(gateway: Any, source: Any) -> str:
    """The same key for a message that has just come in; empty when the host cannot tell."""
    try:
        return str(gateway._session_key_for_source(source) or "")
    except Exception:  # the host's own method, and no public one: a chat must not lose its messages over it
        return ""


def in_gateway() -> bool:
    """Whether this process hands answers to chat platforms. The dashboard's chat is none; it may load the gateway."""
    return os.environ.get("_HERMES_GATEWAY") == "1" and "tui_gateway.server" not in sys.modules


def at_terminal() -> bool:
    """Whether whoever talks to this process types at its own terminal, and not in the dashboard or another program."""
    return sys.stdin is not None and sys.stdin.isatty() and "tui_gateway.server" not in sys.modules


def tools_of(toolsets: Sequence[str]) -> frozenset[str]:
    """The names of the tools that an agent with these toolsets may be given; none of a toolset the host lacks."""
    from toolsets import resolve_toolset

    return frozenset(name for toolset in toolsets for name in resolve_toolset(toolset))


def keeps_out(relpath: str, content: bytes) -> tuple[str, ...]:
    """Why the host would leave the whole file out of the system prompt, in its own words; empty when it loads it."""
    if relpath != "SOUL.md":  # of the files that a change may target, the one that the host scans
        return ()
    from tools.threat_patterns import scan_for_threats

    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    return tuple(scan_for_threats(text, scope="context"))


def version() -> str:
    """The host's version as it is installed now; a process that was started before an update still runs the old one."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("hermes-agent")
    except PackageNotFoundError:  # started from a checkout of its own
        return "unknown"


def inside_agent() -> bool:
    """Whether this process was started by an agent's tool shell."""
    return bool(os.environ.get("HERMES_SESSION_ID"))
