"""The HTTP routes behind the dashboard page: each parses, calls a service and shapes its answer."""
