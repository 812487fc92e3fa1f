"""What an arm's throw-away home may know of its profile's configuration: enough to reach the same model, nothing else.

Pure functions over parsed YAML and variables. Everything goes by allow-list: a key or variable not named here is not
there for the arm, above all MCP servers, hooks, plugins, external skill directories, memory providers, secret managers
and the tokens of messengers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ...errors import ModelUnavailable

# Sections copied whole, or (with names) key by key.
_ALLOWED: Mapping[str, tuple[str, ...] | None] = MappingProxyType(
    {
        "_config_version": None,
        "model": None,
        "providers": None,
        "custom_providers": None,
        "provider_routing": None,
        "openrouter": None,
        "bedrock": None,
        "vertex": None,
        "network": None,
        "prompt_caching": None,
        "timezone": None,
        "context_file_max_chars": None,
        "platform_hints": None,
        "compression": None,
        "tool_loop_guardrails": None,
        "agent": (
            "api_max_retries",
            "intent_ack_continuation",
            "parallel_tool_call_guidance",
            "reasoning_effort",
            "reasoning_overrides",
            "service_tier",
            "system_prompt",
            "task_completion_guidance",
            "tool_use_enforcement",
        ),
        "memory": ("memory_enabled", "user_profile_enabled", "memory_char_limit", "user_char_limit"),
        "skills": ("disabled", "platform_disabled", "template_vars"),
    }
)

# What an arm always has: nothing of its own accord runs beside the scenario, and nothing is fetched or installed.
_FORCED: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "plugins": {"enabled": []},
        "memory": {"provider": "", "nudge_interval": 0, "write_approval": False},
        "skills": {"external_dirs": [], "inline_shell": False, "creation_nudge_interval": 0, "write_approval": False},
        "agent": {"environment_probe": False},
        "curator": {"enabled": False},
        "checkpoints": {"enabled": False},
        "model_catalog": {"enabled": False},
        "security": {"allow_lazy_installs": False, "tirith_enabled": False},
    }
)

# The variables the host reads for each provider it knows; tests/host compares this with the host's own table.
PROVIDER_VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "alibaba": ("DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL"),
        "alibaba-coding-plan": (
            "ALIBABA_CODING_PLAN_API_KEY",
            "DASHSCOPE_API_KEY",
            "ALIBABA_CODING_PLAN_BASE_URL",
        ),
        "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"),
        "arcee": ("ARCEEAI_API_KEY", "ARCEE_BASE_URL"),
        "azure-foundry": (
            "AZURE_FOUNDRY_API_KEY",
            "AZURE_ANTHROPIC_KEY",
            "AZURE_FOUNDRY_BASE_URL",
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
        ),
        "bedrock": (
            "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "BEDROCK_BASE_URL",
        ),
        "copilot": ("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "COPILOT_API_BASE_URL"),
        "deepinfra": ("DEEPINFRA_API_KEY", "DEEPINFRA_BASE_URL"),
        "deepseek": ("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
        "fireworks": ("FIREWORKS_API_KEY",),
        "gemini": ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GEMINI_BASE_URL"),
        "gmi": ("GMI_API_KEY", "GMI_BASE_URL"),
        "huggingface": ("HF_TOKEN", "HF_BASE_URL"),
        "kilocode": ("KILOCODE_API_KEY", "KILOCODE_BASE_URL"),
        "kimi-coding": ("KIMI_API_KEY", "KIMI_CODING_API_KEY", "KIMI_BASE_URL"),
        "kimi-coding-cn": ("KIMI_CN_API_KEY",),
        "lmstudio": ("LM_API_KEY", "LM_BASE_URL"),
        "minimax": ("MINIMAX_API_KEY", "MINIMAX_BASE_URL"),
        "minimax-cn": ("MINIMAX_CN_API_KEY", "MINIMAX_CN_BASE_URL"),
        "novita": ("NOVITA_API_KEY", "NOVITA_BASE_URL"),
        "nvidia": ("NVIDIA_API_KEY", "NVIDIA_BASE_URL"),
        "ollama-cloud": ("OLLAMA_API_KEY", "OLLAMA_BASE_URL"),
        "openai-api": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        "opencode-go": ("OPENCODE_GO_API_KEY", "OPENCODE_GO_BASE_URL"),
        "opencode-zen": ("OPENCODE_ZEN_API_KEY", "OPENCODE_ZEN_BASE_URL"),
        "openrouter": ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "OPENAI_API_KEY"),
        "stepfun": ("STEPFUN_API_KEY", "STEPFUN_BASE_URL"),
        "tencent-tokenhub": ("TOKENHUB_API_KEY", "TOKENHUB_BASE_URL"),
        "upstage": ("UPSTAGE_API_KEY", "UPSTAGE_BASE_URL"),
        "vertex": ("GOOGLE_APPLICATION_CREDENTIALS", "VERTEX_CREDENTIALS_PATH", "VERTEX_PROJECT_ID", "VERTEX_REGION"),
        "xai": ("XAI_API_KEY", "XAI_BASE_URL"),
        "xiaomi": ("XIAOMI_API_KEY", "XIAOMI_BASE_URL"),
        "zai": ("GLM_API_KEY", "ZAI_API_KEY", "Z_AI_API_KEY", "GLM_BASE_URL"),
    }
)
OAUTH_PROVIDERS = frozenset({"nous", "openai-codex", "xai-oauth", "qwen-oauth", "minimax-oauth", "copilot-acp"})
_NEEDS_NO_KEY = frozenset({"azure-foundry", "bedrock", "lmstudio", "vertex"})
_CHOICE_OF_MODEL = ("HERMES_INFERENCE_PROVIDER", "HERMES_INFERENCE_MODEL")
_SECRET_NAME = re.compile(r"(key|token|secret|password)$", re.IGNORECASE)


def arm_config(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The config.yaml of an arm, from the parsed one of its profile."""
    rebuilt: dict[str, Any] = {}
    for section, names in _ALLOWED.items():
        value = profile.get(section)
        if value is None:
            continue
        if names is None:
            rebuilt[section] = value
        elif isinstance(value, Mapping):
            rebuilt[section] = {name: value[name] for name in names if name in value}
    for section, forced in _FORCED.items():
        rebuilt[section] = {**rebuilt.get(section, {}), **forced}
    return rebuilt


def model_variables(config: Mapping[str, Any], available: Mapping[str, str]) -> dict[str, str]:
    """Those of the ``available`` variables that an arm with this configuration needs to reach its model.

    Raises ModelUnavailable when the provider can only be reached with an OAuth login, or has no key.
    """
    provider = _provider(config, available)
    if provider in OAUTH_PROVIDERS:
        raise ModelUnavailable(
            f"The profile reaches its model through '{provider}', an OAuth login. Such a login is never copied into an "
            "evaluation: its refresh token changes with each use, and a copy would log the profile out. Set a provider "
            "with an API key in config.yaml and .env to evaluate this profile.",
            provider=provider,
        )
    wanted = {*_CHOICE_OF_MODEL, *_named_in(config), *_vendor_keys(config), *_provider_names(provider)}
    chosen = {name: available[name] for name in sorted(wanted) if available.get(name)}
    if _lacks_key(provider, config, chosen):
        names = " or ".join(name for name in PROVIDER_VARIABLES[provider] if _SECRET_NAME.search(name))
        raise ModelUnavailable(
            f"No API key for the provider '{provider}' was found. Set {names} in the profile's .env; keys and logins "
            "kept in auth.json are never copied into an evaluation.",
            provider=provider,
        )
    return chosen


def secrets(config: Mapping[str, Any], variables: Mapping[str, str]) -> frozenset[str]:
    """The values among configuration and variables that no message may repeat."""
    pairs = [*variables.items(), *_strings(config)]
    return frozenset(value for name, value in pairs if _SECRET_NAME.search(name) and len(value) >= 8)


def _provider(config: Mapping[str, Any], available: Mapping[str, str]) -> str:
    model = config.get("model")
    configured = model.get("provider") if isinstance(model, Mapping) else None
    return str(configured or available.get("HERMES_INFERENCE_PROVIDER") or "auto").strip().lower()


def _provider_names(provider: str) -> tuple[str, ...]:
    """Every provider's variables when the host picks one itself or knows the name as an alias."""
    if provider == "custom" or provider.startswith("custom:"):
        return ("CUSTOM_BASE_URL",)
    known = PROVIDER_VARIABLES.get(provider)
    return known if known is not None else tuple(name for names in PROVIDER_VARIABLES.values() for name in names)


def _strings(node: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a configuration with the key it stands under."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _strings(value, str(key))
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _strings(item, name)
    elif isinstance(node, str):
        yield name, node


def _named_in(config: Mapping[str, Any]) -> set[str]:
    """Variables the configuration itself asks for: ``${NAME}`` anywhere, or the value of a ``key_env``."""
    references = set(re.findall(r"\$\{([^}]+)\}", json.dumps(config, default=str)))
    return references | {text.strip() for name, text in _strings(config) if name == "key_env"}


def _vendor_keys(config: Mapping[str, Any]) -> set[str]:
    """``<VENDOR>_API_KEY`` for each host name in the configuration: the host looks there for custom endpoints."""
    hosts = [urlsplit(text).hostname or "" for _, text in _strings(config) if text.startswith(("http://", "https://"))]
    labels = [label for host in hosts for label in host.split(".") if label and not label.isdigit()]
    return {re.sub(r"\W", "_", label).upper() + "_API_KEY" for label in labels}


def _lacks_key(provider: str, config: Mapping[str, Any], chosen: Mapping[str, str]) -> bool:
    if provider not in PROVIDER_VARIABLES or provider in _NEEDS_NO_KEY or provider in (config.get("providers") or {}):
        return False
    model = config.get("model")
    inline = isinstance(model, Mapping) and any(model.get(key) for key in ("api_key", "api"))
    return not inline and not any(_SECRET_NAME.search(name) for name in chosen)
