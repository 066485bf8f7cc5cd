"""How values look: safe text for messages and terminals, HTML for notebooks."""

# The columns that come first, in the terminal and in notebooks.
FIRST_COLUMNS: tuple[str, ...] = ("id", "agent_id", "created_at", "status", "title")
ALWAYS_SHOWN = FIRST_COLUMNS[:3]
