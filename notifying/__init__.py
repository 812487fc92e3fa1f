"""Telling people what needs their eyes: which events, in which words, to whom, how often, and how it gets there."""
