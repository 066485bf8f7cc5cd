"""How values look: safe text for messages and terminals, HTML for notebooks."""

# The columns that come first, in tables and data frames.
FIRST_COLUMNS: tuple[str, ...] = ("id", "agent_id", "created_at", "status", "title")
ALWAYS_SHOWN = FIRST_COLUMNS[:3]
