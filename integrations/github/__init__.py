"""Hears of deployments and releases from GitHub."""
