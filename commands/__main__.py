"""``python -m karpathy_self_improve.commands``: ``hermes ratchet`` for a user who may not read what Hermes needs.

Hermes itself reads API keys and writes logs when it starts, which a reviewer's own account is not to be able to do.
"""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
