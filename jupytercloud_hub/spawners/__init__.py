"""Starts what the catalogue gives: one mixin that knows profiles, and one spawner for each engine."""
