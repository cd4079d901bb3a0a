"""What the layers share: features of sessions, hourly series, the sequential test of odd shares."""
