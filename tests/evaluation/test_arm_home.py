"""An arm's home holds what the allow-lists name and nothing else, and leaves no trace behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from karpathy_self_improve.errors import ModelUnavailable, PathRefused, Unavailable
from karpathy_self_improve.evaluation.running import arm_home as arm_home_module
from karpathy_self_improve.evaluation.running.arm_config import arm_config, model_variables, secrets
from karpathy_self_improve.evaluation.running.arm_home import PREFIX, ArmHome, model_access, remove_leftovers

KEY = "not-a-real-" + "key-1234"


@pytest.fixture
def profile(home: Path) -> Path:
    """A profile with everything an evaluation may and may not take along."""
    files = {
        "SOUL.md": "You are helpful.\n",
        "config.yaml": yaml.safe_dump({"model": {"default": "m", "provider": "deepseek"}}),
        ".env": f"DEEPSEEK_API_KEY={KEY}\nTELEGRAM_BOT_TOKEN=secret-of-a-messenger\n",
        "auth.json": '{"providers": {}}',
        "state.db": "a database",
        "logs/agent.log": "a log",
        "hooks/x/handler.py": "raise SystemExit",
        "plugins/x/plugin.yaml": "name: x",
        "memories/MEMORY.md": "Oslo.",
        "memories/MEMORY.md.lock": "",
        "skills/notes/minutes/SKILL.md": "---\nname: minutes\ndescription: d\n---\n",
        "skills/notes/minutes/scripts/run.sh": "echo\n",
        "skills/.hub/index.json": "{}",
        "skills/.git/config": "[core]",
        "skills/notes/minutes/node_modules/x.js": "x",
    }
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return home


@contextmanager
def arm_home(profile: Path, relpath: str, content: bytes | None, parent: Path) -> Iterator[ArmHome]:
    arm = ArmHome(model_access(profile), parent)
    try:
        arm.furnish(profile, relpath, content)
        yield arm
    finally:
        arm.remove()


def tree(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def test_only_what_the_allow_list_names_comes_along(profile: Path, tmp_path: Path) -> None:
    with arm_home(profile, "SOUL.md", b"candidate\n", tmp_path) as arm:
        assert tree(arm.home) == {
            "SOUL.md",
            "config.yaml",
            "memories/MEMORY.md",
            "skills/notes/minutes/SKILL.md",
            "skills/notes/minutes/scripts/run.sh",
        }
        assert (arm.home / "SOUL.md").read_bytes() == b"candidate\n"
        assert tree(arm.workspace) == set()


def test_the_version_under_test_may_be_a_new_file_or_no_file(profile: Path, tmp_path: Path) -> None:
    with arm_home(profile, "skills/new/SKILL.md", b"new", tmp_path) as arm:
        assert (arm.home / "skills/new/SKILL.md").read_bytes() == b"new"
    with arm_home(profile, "SOUL.md", None, tmp_path) as arm:
        assert not (arm.home / "SOUL.md").exists()
        assert (profile / "SOUL.md").exists()


@pytest.mark.parametrize(
    "relpath",
    ["../SOUL.md", "skills/../../x", "/etc/passwd", "config.yaml", ".env", "skills", "memories/\0", "soul.md", ""],
)
def test_a_path_outside_the_prompt_files_is_refused(profile: Path, tmp_path: Path, relpath: str) -> None:
    with pytest.raises(PathRefused), arm_home(profile, relpath, b"x", tmp_path):
        pass


def test_links_and_special_files_stay_behind(profile: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "secret.md").write_text("secret")
    (profile / "skills/link.md").symlink_to(outside / "secret.md")
    (profile / "skills/linked").symlink_to(outside)
    (profile / "memories/USER.md").symlink_to(outside / "secret.md")
    os.mkfifo(profile / "skills/pipe.md")
    with arm_home(profile, "SOUL.md", b"x", tmp_path) as arm:
        assert not {name for name in tree(arm.home) if "link" in name or "pipe" in name or "USER" in name}


def test_a_linked_memory_folder_stays_behind(profile: Path, tmp_path: Path) -> None:
    (profile / "memories").rename(tmp_path / "elsewhere")
    (profile / "memories").symlink_to(tmp_path / "elsewhere")
    with arm_home(profile, "SOUL.md", b"x", tmp_path) as arm:
        assert not (arm.home / "memories").exists()


def test_a_profile_too_big_to_copy_is_refused_and_nothing_stays(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm_home_module, "MAX_BYTES", 10)
    with pytest.raises(Unavailable, match="too much to copy"), arm_home(profile, "SOUL.md", b"x", tmp_path):
        pass
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def fail_inside(profile: Path, tmp_path: Path) -> None:
    with arm_home(profile, "SOUL.md", b"x", tmp_path) as arm:
        assert stat.S_IMODE(arm.root.stat().st_mode) == 0o700
        assert stat.S_IMODE((arm.home / "config.yaml").stat().st_mode) == 0o600
        raise RuntimeError


def test_the_home_is_private_and_gone_afterwards_even_after_a_failure(profile: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_inside(profile, tmp_path)
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_leftovers_of_a_killed_process_go_and_homes_in_use_stay(profile: Path, tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}left"
    young = tmp_path / f"{PREFIX}young"
    for root in (left, young):
        (root / "home").mkdir(parents=True)
    with arm_home(profile, "SOUL.md", b"x", tmp_path) as arm:
        for root in (left, arm.root):
            os.utime(root, (0, 0))
        assert remove_leftovers(tmp_path) == 1
        assert arm.home.exists()
    assert not left.exists()
    assert young.exists()


def test_a_link_that_looks_like_a_leftover_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(target)
    os.utime(link, (0, 0), follow_symlinks=False)
    os.utime(target, (0, 0))
    assert remove_leftovers(tmp_path) == 0
    assert tree(target) == set()


def test_the_agent_gets_the_models_key_and_no_other_variable(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HERMES_SESSION_ID", "HERMES_YOLO_MODE", "TERM", "OPENROUTER_API_KEY", "ANYTHING"):
        monkeypatch.setenv(name, "x")
    with arm_home(profile, "SOUL.md", b"x", tmp_path) as arm:
        environment = dict(arm.environment)
        assert environment["DEEPSEEK_API_KEY"] == KEY
        assert environment["HERMES_HOME"] == str(arm.home)
        assert environment["HERMES_SESSION_SOURCE"] == "ratchet-eval"
        assert Path(environment["HOME"]).is_relative_to(arm.root)
        assert model_access(profile).secrets == {KEY}
    others = {"HERMES_SESSION_ID", "HERMES_YOLO_MODE", "TERM", "OPENROUTER_API_KEY", "ANYTHING", "TELEGRAM_BOT_TOKEN"}
    assert not environment.keys() & others


def test_a_key_another_homes_env_file_put_into_this_process_is_not_used(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.yaml").write_text("model: {default: m, provider: deepseek}")
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    with pytest.raises(ModelUnavailable), arm_home(other, "SOUL.md", b"x", tmp_path):
        pass
    monkeypatch.setenv("DEEPSEEK_API_KEY", "exported-by-" + "the-operator")
    with arm_home(other, "SOUL.md", b"x", tmp_path) as arm:
        assert arm.environment["DEEPSEEK_API_KEY"].startswith("exported")


def test_an_oauth_only_profile_is_refused_with_the_reason(profile: Path, tmp_path: Path) -> None:
    (profile / "config.yaml").write_text("model: {default: m, provider: openai-codex}")
    with pytest.raises(ModelUnavailable, match="OAuth login"), arm_home(profile, "SOUL.md", b"x", tmp_path):
        pass


def test_the_rebuilt_configuration_keeps_the_model_and_drops_everything_that_acts() -> None:
    profile: dict[str, Any] = {
        "model": {"default": "m", "provider": "custom", "base_url": "http://127.0.0.1:1/v1", "api_key": KEY},
        "providers": {"own": {"base_url": "https://llm.example.org/v1", "key_env": "OWN_KEY"}},
        "agent": {"reasoning_effort": "high", "max_turns": 90, "environment_probe": True},
        "memory": {"memory_enabled": False, "provider": "honcho", "nudge_interval": 5},
        "skills": {"disabled": ["x"], "external_dirs": ["/srv/skills"], "inline_shell": True},
        "plugins": {"enabled": ["karpathy-self-improve"], "entries": {"x": {}}},
        "mcp_servers": {"x": {"command": "x"}},
        "hooks": {"pre_tool_call": []},
        "secrets": {"bitwarden": {"enabled": True}},
        "telegram": {"token": "x"},
        "fallback_providers": ["other"],
        "prefill_messages_file": "/x",
        "quick_commands": {"x": "y"},
    }
    arm = arm_config(profile)
    assert arm["model"] == profile["model"]
    assert arm["providers"] == profile["providers"]
    assert arm["agent"] == {"reasoning_effort": "high", "environment_probe": False}
    assert arm["memory"]["memory_enabled"] is False
    assert (arm["memory"]["provider"], arm["memory"]["nudge_interval"]) == ("", 0)
    assert arm["skills"]["disabled"] == ["x"]
    assert (arm["skills"]["external_dirs"], arm["skills"]["inline_shell"]) == ([], False)
    assert arm["skills"]["creation_nudge_interval"] == 0
    assert arm["plugins"] == {"enabled": []}
    assert not arm.keys() & {
        *(
            "mcp_servers",
            "hooks",
            "secrets",
            "telegram",
            "fallback_providers",
            "prefill_messages_file",
            "quick_commands",
        ),
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"provider": "openrouter"}, {"OPENROUTER_API_KEY"}),
        ({"provider": "custom", "base_url": "https://api.mistral.ai/v1"}, {"MISTRAL_API_KEY"}),
        ({"provider": "custom", "base_url": "http://127.0.0.1:8080/v1", "api_key": "${MY_KEY}"}, {"MY_KEY"}),
        ({"provider": "lmstudio"}, set()),
        ({"provider": "auto"}, {"OPENROUTER_API_KEY", "XAI_API_KEY"}),
    ],
)
def test_each_provider_gets_its_own_variables(model: dict[str, Any], expected: set[str]) -> None:
    names = {"OPENROUTER_API_KEY", "MISTRAL_API_KEY", "MY_KEY", "XAI_API_KEY", "EXA_API_KEY", "SLACK_BOT_TOKEN"}
    chosen = model_variables(arm_config({"model": model}), dict.fromkeys(names, "x"))
    assert set(chosen) == expected


def test_a_provider_without_a_key_is_refused_by_the_name_of_the_variable() -> None:
    config = arm_config({"model": {"provider": "xai"}})
    with pytest.raises(ModelUnavailable, match="XAI_API_KEY"):
        model_variables(config, {})
    assert model_variables(arm_config({"model": {"provider": "xai", "api_key": KEY}}), {}) == {}


def test_secrets_are_the_values_of_keys_and_tokens() -> None:
    config = {"model": {"api_key": KEY, "base_url": "http://127.0.0.1:8080/v1"}, "providers": [{"auth_token": KEY * 2}]}
    assert secrets(config, {"X_API_KEY": KEY * 3, "X_BASE_URL": "http://x.org"}) == {KEY, KEY * 2, KEY * 3}
