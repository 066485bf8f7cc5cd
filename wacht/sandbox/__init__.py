"""The service on loopback, for demos and tests."""

from .changes import Changes
from .sandbox import Sandbox, SandboxRequest

__all__ = ["Changes", "Sandbox", "SandboxRequest"]
