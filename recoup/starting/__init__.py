"""What ``recoup init`` writes for a new shop: settings, secrets, a Slack manifest, CI snippets."""
