"""Speaks to LaunchDarkly."""
