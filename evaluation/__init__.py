"""Offline measurement: scenarios, checks, runs of the real agent, and the comparison of two versions."""
