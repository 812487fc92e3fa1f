"""Runs of the real agent: worker processes, their throw-away homes and sandbox, their order and their budget."""
