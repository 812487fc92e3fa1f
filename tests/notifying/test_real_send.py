"""The real host's ``hermes send`` delivers a notification, or says why it cannot."""

from __future__ import annotations

from typing import Any

TARGET = "signal:+15551234567"


def test_the_host_delivers_it(telling: Any, hook: Any) -> None:
    """Signal is the one platform whose server the host lets us name: it is the test's own."""
    hook.status, hook.answer = 200, b'{"result": {}}'
    (telling.home / ".env").write_text(f"SIGNAL_HTTP_URL=http://127.0.0.1:{hook.port}\nSIGNAL_ACCOUNT=+15550000000\n")
    telling.configure({"kind": "hermes", "target": TARGET}, timeout_s=60)
    telling.happen("experiment.reverted", experiment=7)
    telling.notifier.poke(telling.context)
    assert telling.notifier.finish(60)
    sent = [posted["params"] for posted in hook.received if posted.get("method") == "send"]
    assert [(one["recipient"], "Experiment 7" in one["message"]) for one in sent] == [(["+15551234567"], True)]
    assert telling.standing()[0].sent == 1


def test_the_hosts_own_reason_is_shown(telling: Any) -> None:
    telling.configure({"kind": "hermes", "target": "telegram"}, timeout_s=60)
    telling.happen("experiment.reverted", experiment=7)
    telling.notifier.poke(telling.context)
    assert telling.notifier.finish(60)
    (state,) = telling.standing()
    assert (state.label, state.failures) == ("hermes telegram", 1)
    assert "Platform 'telegram' is not configured" in state.last_error
