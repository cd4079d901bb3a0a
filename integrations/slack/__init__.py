"""Speaks to Slack."""
