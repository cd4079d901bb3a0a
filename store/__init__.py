"""The append-only log, its projections, and the privacy of what is in them."""
