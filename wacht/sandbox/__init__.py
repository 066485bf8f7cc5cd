"""
The service on loopback, for demos and tests.
"""

from .changes import Changes
from .record import SandboxRequest
from .sandbox import Sandbox

__all__ = ["Changes", "Sandbox", "SandboxRequest"]
