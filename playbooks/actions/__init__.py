"""The actions, one per file: preview, apply, verify, undo."""
