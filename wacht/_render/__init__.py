"""How values look: safe text for messages and terminals, HTML for notebooks."""
