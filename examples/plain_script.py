"""
List one agent's contexts, or say what went wrong.

    WACHT_API_KEY=... python plain_script.py agent_123
"""

import sys

import wacht

if not sys.argv[1:]:
    sys.exit(__doc__)
try:
    for context in wacht.iter_execution_contexts(agent_id=sys.argv[1]):
        # A title may contain what a terminal obeys, or what UTF-8 can't encode.
        print(context.id, context.created_at, repr(context.title))
except (wacht.ConfigError, wacht.AuthenticationError) as error:
    sys.exit(f"check WACHT_API_KEY: {error}")
except wacht.WachtError as error:
    sys.exit(f"the list is incomplete: {error}")
