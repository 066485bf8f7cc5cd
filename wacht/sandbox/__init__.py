"""
The service on loopback, for demos and tests.
"""

from .sandbox import Sandbox, SandboxRequest

__all__ = ["Sandbox", "SandboxRequest"]
