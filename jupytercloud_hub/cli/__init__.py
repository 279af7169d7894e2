"""The command ``jupytercloud``."""
