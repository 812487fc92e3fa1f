"""A person's consent: what they are asked, what they are shown, and whether they agreed."""
