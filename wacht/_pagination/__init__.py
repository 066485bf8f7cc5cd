"""The walk: which part of the list to read next, and what was given. No HTTP."""
