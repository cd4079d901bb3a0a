"""Hears of and makes deployments on GitHub."""
