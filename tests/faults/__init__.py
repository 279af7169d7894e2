"""Faults from a seed on the demo's topology, while people work: ``python -m tests.faults --seeds 20``."""
