"""Speaks to Meta's advertising platform."""
