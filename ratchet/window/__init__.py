"""The live window: planned before its first session, watched on real ones, and decided by the statistics."""
