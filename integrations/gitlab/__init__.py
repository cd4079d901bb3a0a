"""Hears of deployments, releases and feature flags from GitLab."""
