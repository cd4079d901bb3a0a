"""Hears of and undoes rollouts of Argo."""
