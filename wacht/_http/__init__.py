"""Requests on the wire: attempts, retries, connections, bodies and credentials."""
