"""Knows who people are, whatever surface they come from."""
