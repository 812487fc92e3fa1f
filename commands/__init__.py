"""The services for people who type: a terminal and a chat."""
