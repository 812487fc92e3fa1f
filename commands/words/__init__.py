"""The words of ``hermes ratchet``, one module for each group of its overview. Standard library only."""
