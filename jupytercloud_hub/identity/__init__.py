"""Who a person is. Pure: from a provider's claims to an `Identity`, by rules written as data.

Nothing here knows the hub, HTTP or a database; the same functions serve a login, a refresh and the
command ``jupytercloud identity check``.
"""

from .decision import Decision, Policy, decide
from .institutions import GroupRule, Institution
from .model import Identity, Subject
from .presets import PRESETS, Preset
from .refusal import Refused

__all__ = [
    "PRESETS",
    "Decision",
    "GroupRule",
    "Identity",
    "Institution",
    "Policy",
    "Preset",
    "Refused",
    "Subject",
    "decide",
]
