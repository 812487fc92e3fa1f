"""The statistics behind the verdicts: pure functions, standard library only."""
