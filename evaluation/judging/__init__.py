"""The judge: another model decides by a scenario's rubric what no pattern can check, three votes per answer."""
