"""The doctor's look at the host: settings, the plugin in each profile, copies of it, the dashboard's directory."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from .. import host
from ..settings import PLUGIN
from . import dependencies, package
from .findings import Finding, note, ok, problem


def settings() -> Iterator[Finding]:
    """Raises SettingsInvalid, which the doctor reports."""
    found = host.settings()
    if not found.success_checks:
        yield note(
            "success_checks",
            "No success signal is configured: a live window judges errors and cost, not whether sessions succeed.",
            f"Set plugins.entries.{PLUGIN}.success_checks in {host.root() / 'config.yaml'}, for example "
            '[{"type": "must_not_contain", "value": "I cannot"}]',
        )


def profiles() -> Iterator[Finding]:
    """A profile that a person switched off on purpose is a note; one that was forgotten is a problem."""
    for profile in host.profiles():
        enable = f"hermes -p {profile.name} plugins enable {PLUGIN} --no-allow-tool-override"
        set_up = f"hermes ratchet init --target {profile.name}"
        if package.switched_off(profile.home):
            yield note("enabled", f"Profile '{profile.name}' has the plugin switched off.", enable)
        elif not host.plugin_enabled(profile.home):
            yield problem("enabled", f"The plugin is not enabled in profile '{profile.name}'.", set_up)
        elif not package.installed_by_pip() and not package.copies_in(profile.home):
            what = f"Profile '{profile.name}' has the plugin enabled, but nothing to load in its plugins folder."
            yield problem("loadable", what, set_up)
        else:
            yield ok("enabled", f"Enabled in profile '{profile.name}'.")


def prompts() -> Iterator[Finding]:
    """The host says so in its log alone, and the agent goes on as if there were no such file."""
    for profile in host.profiles():
        path = profile.home / "SOUL.md"
        found = host.keeps_out(path.name, path.read_bytes()) if path.is_file() else ()
        if found:
            yield problem(
                "prompt",
                f"Hermes loads nothing of {path}: its own scanner finds {', '.join(found)}.",
                f"Take that out of {path}",
            )


def copies() -> Iterator[Finding]:
    """One package must answer everywhere: with two, a face and the daemon may run different code."""
    found = [copy for profile in host.profiles() for copy in package.copies_in(profile.home)]
    if pip := package.pip_copy():
        found.append(pip)
    if len({copy.package for copy in found}) <= 1:
        yield ok("copies", f"One copy of the plugin: {package.PACKAGE}.")
        return
    listed = "; ".join(f"{copy.where} ({copy.source})" for copy in found)
    strays = [copy for copy in found if copy.package != package.PACKAGE]
    fix = " && ".join(_removal(copy) for copy in strays)
    yield problem("copies", f"There are several copies of the plugin: {listed}. In use here: {package.PACKAGE}.", fix)


def dashboard() -> Iterator[Finding]:
    """The dashboard reads the plugins folder of the root home only, also when pip installed the plugin."""
    folder = package.plugin_folder(host.root())
    there = [copy for copy in package.copies_in(host.root()) if (copy.where / "dashboard" / "manifest.json").is_file()]
    if there:
        yield ok("dashboard", f"The dashboard finds its page in {there[0].where}.")
    else:
        yield problem("dashboard", f"The dashboard finds no page: {folder} is missing.", "hermes ratchet init")


def _removal(copy: package.Copy) -> str:
    if copy.source is package.Source.PIP:
        return dependencies.uninstall_command()
    return f"rm -r {shlex.quote(str(copy.where))}"


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (settings, profiles, prompts, copies, dashboard)
