"""The demonstration of `make run`: a throw-away home and a scripted model server."""
