"""Every setting, read here and nowhere else."""

from gateway.settings.environment import unknown_variables
from gateway.settings.model import LOOPBACK, Settings
from gateway.settings.names import PREFIX, Misconfigured, listed, variable

__all__ = ["LOOPBACK", "PREFIX", "Misconfigured", "Settings", "listed", "unknown_variables", "variable"]
