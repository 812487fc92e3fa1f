"""The audit trail: a chain of transitions, everything that names a link of it, and the check of both."""
