"""The page and the routes that the host's dashboard loads."""
