"""Speaks to TikTok's Business API."""
