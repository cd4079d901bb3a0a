"""Speaks to Google Ads."""
