"""Deterministic decisions of an incident's response; no I/O, no clock, no computing."""
