"""
List all contexts, or say what went wrong.

    WACHT_API_KEY=... python plain_script.py
"""

import sys

import wacht

try:
    for context in wacht.iter_execution_contexts():
        # One revision of the service has titles. They may contain what a terminal
        # obeys, or what UTF-8 can't encode.
        print(context.id, context.created_at, repr(context.title))
except (wacht.ConfigError, wacht.AuthenticationError) as error:
    sys.exit(str(error))
except wacht.WachtError as error:
    sys.exit(f"the list is incomplete: {error}")
