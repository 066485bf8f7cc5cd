"""
The rooms behind `wacht.sandbox`: its contexts, its rules, its faults, its sockets.
"""
