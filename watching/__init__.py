"""Guarded files between experiments: what changed, who probably did it, and whether somebody has agreed to it."""
