"""Hears of and makes deployments on GitLab."""
