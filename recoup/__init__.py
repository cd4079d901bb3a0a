"""Recoup finds silent revenue leaks, asks, undoes their cause, and proves the recovery."""

__version__ = "0.1.0"
