"""The one configuration file: ``jupytercloud.yaml`` as models, its errors, and what it sets on a hub."""

from .loading import load
from .model import Settings
from .problems import Problem, SettingsError
from .secrets import Secret

__all__ = ["Problem", "Secret", "Settings", "SettingsError", "load"]
