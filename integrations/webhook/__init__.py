"""Endpoints of your own: signed messages out and in (Standard Webhooks)."""
