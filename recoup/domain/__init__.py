"""The vocabulary of Recoup: events, changes, facts, incidents, proposals, ports and errors.

Nothing here does I/O, reads a clock or imports more than pydantic and the standard library.
"""
