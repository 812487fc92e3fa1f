"""From stored results to one decision and one report: screened, confirmed once, concluded."""
