"""JupyterHub as one national federation: what an administrator imports in ``jupyterhub_config.py``."""

__version__ = "0.1.0.dev0"
