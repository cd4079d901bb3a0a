"""Everything that speaks to a vendor, one folder each; nothing else does."""
