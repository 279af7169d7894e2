"""Hubs for a fair: codes, seats that are ready when visitors come, an end after which nothing of them is left."""
