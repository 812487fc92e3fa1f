"""Scenarios: kept, split, read from files and sessions, and held against what makes one worth running."""
