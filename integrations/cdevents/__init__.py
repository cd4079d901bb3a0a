"""Hears of deployments from any tool that speaks CDEvents."""
