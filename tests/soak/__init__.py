"""A thousand people at once, beside stock JupyterHub: ``python -m tests.soak``."""
