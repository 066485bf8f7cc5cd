"""
The command, for `python -m wacht`.
"""

import sys

from .cli import main

sys.exit(main())
