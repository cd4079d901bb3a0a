"""Takes what Snowplow's trackers send."""
