"""Read models made from the log, each with its checkpoint in the same transaction."""
