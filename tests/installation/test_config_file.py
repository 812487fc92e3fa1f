"""Our edits of a person's config.yaml: comments, order and every other value stay; what cannot be kept is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from karpathy_self_improve.errors import DiskFailed, SettingsInvalid
from karpathy_self_improve.installation import config_file

PLUGIN = "karpathy-self-improve"
COMMENTED = f"""\
# my agent
model: {{default: m, base_url: "http://127.0.0.1/v1"}}  # local

plugins:
  enabled:
    - disk-cleanup   # keeps the disk tidy
  entries:
    other: {{a: 1}}
quotes: 'single'
switch: yes
mode: 0755
long: {" ".join(["word"] * 60)}
list:
  - 1
  - 2
"""


@pytest.mark.parametrize("flush", [False, True])
def test_only_the_asked_keys_change_and_comments_stay(tmp_path: Path, flush: bool) -> None:
    text = COMMENTED
    if flush:
        text = text.replace("    - disk", "  - disk").replace("  - 1\n  - 2", "- 1\n- 2")
    config = tmp_path / "config.yaml"
    config.write_text(text, encoding="utf-8")
    assert config_file.enable_plugin(tmp_path)
    assert config_file.set_option(tmp_path, "approval", "unsigned")
    lines = config.read_text(encoding="utf-8").splitlines()
    added = [line for line in lines if line not in text.splitlines()]
    assert [line.strip() for line in added] == [f"- {PLUGIN}", f"{PLUGIN}:", "approval: unsigned"]
    assert [line for line in text.splitlines() if line not in lines] == []
    assert not config_file.enable_plugin(tmp_path)
    assert not config_file.set_option(tmp_path, "approval", "unsigned")


def test_switching_off_again_gives_the_data_from_before(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(COMMENTED, encoding="utf-8")
    config_file.enable_plugin(tmp_path)
    config_file.set_option(tmp_path, "approval", "unsigned")
    assert config_file.has_options(tmp_path)
    assert config_file.disable_plugin(tmp_path)
    assert config_file.drop_options(tmp_path)
    assert not config_file.disable_plugin(tmp_path)
    assert not config_file.has_options(tmp_path)
    assert yaml.safe_load(config.read_text(encoding="utf-8")) == yaml.safe_load(COMMENTED)


@pytest.mark.parametrize("text", [None, "", "# only a comment\n", "plugins:\n", "plugins: {enabled: }\n", "{}\n"])
def test_an_empty_or_missing_file_gets_what_is_needed(tmp_path: Path, text: str | None) -> None:
    config = tmp_path / "config.yaml"
    if text is not None:
        config.write_text(text, encoding="utf-8")
    assert config_file.enable_plugin(tmp_path)
    written = config.read_text(encoding="utf-8")
    assert yaml.safe_load(written)["plugins"]["enabled"] == [PLUGIN]
    assert "# only a comment" in written or text != "# only a comment\n"


@pytest.mark.parametrize(
    "text",
    [
        "- a list\n",
        "just words\n",
        "plugins: [a]\n",
        "plugins: {enabled: yes}\n",
        "a: [unclosed\n",
        "\tx: 1\n",
        "a: 1\na: 2\n",
    ],
)
def test_a_file_that_makes_no_sense_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsInvalid, match=r"config\.yaml"):
        config_file.enable_plugin(tmp_path)
    assert config.read_text(encoding="utf-8") == text


def test_what_a_rewrite_would_change_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard itself: a round trip that loses something must never reach the disk."""
    config = tmp_path / "config.yaml"
    config.write_text(COMMENTED, encoding="utf-8")
    monkeypatch.setattr(config_file, "_changed", lambda *_: f"plugins: {{enabled: [disk-cleanup, {PLUGIN}]}}\n")
    with pytest.raises(SettingsInvalid, match="by hand"):
        config_file.enable_plugin(tmp_path)
    assert config.read_text(encoding="utf-8") == COMMENTED


def test_mode_and_symlink_are_kept(tmp_path: Path) -> None:
    real, config = tmp_path / "elsewhere.yaml", tmp_path / "config.yaml"
    real.write_text(COMMENTED, encoding="utf-8")
    real.chmod(0o640)
    config.symlink_to(real)
    assert config_file.enable_plugin(tmp_path)
    assert config.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert PLUGIN in real.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "elsewhere.yaml"]


def test_a_write_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(COMMENTED, encoding="utf-8")

    def no_space(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskFailed, match="No space left"):
        config_file.enable_plugin(tmp_path)
    assert config.read_text(encoding="utf-8") == COMMENTED
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
