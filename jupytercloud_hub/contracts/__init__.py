"""What travels between processes, and the words shared by all rooms. Pure: standard library and pydantic only."""
