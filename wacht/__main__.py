"""The command, for `python -m wacht`."""

import sys

from wacht_command import main

sys.exit(main())
