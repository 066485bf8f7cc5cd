"""The command, for `python -m wacht`."""

import sys

from wacht.cli import main

sys.exit(main())
