"""A profile's history in git, written with plumbing beside the user's own work."""
