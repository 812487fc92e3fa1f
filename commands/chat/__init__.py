"""``/ratchet`` in a chat: who asks, what they may do, and answers that fit a phone."""
