"""Hears of syncs and rollouts from Argo CD and Argo Rollouts."""
