"""The stand-alone server: the dashboard's routes and page without the dashboard, behind a token of its own."""
