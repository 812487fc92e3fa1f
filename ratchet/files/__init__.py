"""Files of a profile: where a change may go, and how its bytes are read and replaced without being lost."""
