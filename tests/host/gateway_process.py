"""The host's real gateway without a chat platform: reads messages as JSON lines, answers each with a JSON line.

``{"chat": ..., "user": ..., "text": ...}`` goes in the way a platform would hand it over, with ``"internal": true`` as
the host tells itself of its own events; ``{"answer": ...}`` is what the gateway would send back.
"""

from __future__ import annotations

import asyncio
import json
import sys

from gateway.config import GatewayConfig, Platform
from gateway.platforms.base import MessageEvent, MessageType
from gateway.run import GatewayRunner
from gateway.session import SessionSource


def message(chat: str, user: str, text: str, internal: bool = False) -> MessageEvent:
    source = SessionSource(platform=Platform.TELEGRAM, chat_id=chat, user_id=user, user_name=user, chat_type="dm")
    return MessageEvent(text=text, message_type=MessageType.TEXT, source=source, internal=internal)


async def main() -> None:
    runner, answers = GatewayRunner(GatewayConfig()), sys.stdout
    sys.stdout = sys.stderr
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = await runner._handle_message(message(**json.loads(line)))
        print(json.dumps({"answer": answer}), file=answers, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
