"""One module per revision; each names in words what it changes."""
