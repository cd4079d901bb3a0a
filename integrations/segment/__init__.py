"""Takes the calls that Segment's libraries send."""
