"""
The service's protocol without I/O: options to queries, answers to pages or errors.
"""
