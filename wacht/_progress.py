"""
The old name of `open_report`.
"""

from ._pagination.progress import open_report as reporting_to

__all__ = ["reporting_to"]
