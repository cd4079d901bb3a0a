"""Speaks to PagerDuty."""
