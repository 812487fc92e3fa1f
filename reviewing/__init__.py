"""Reviewer keys, what they sign, who may sign, and the record of what was signed."""
