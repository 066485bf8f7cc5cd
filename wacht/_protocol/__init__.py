"""The protocol without I/O: options to queries, answers to pages or errors."""
