"""What to do about a cause: playbook files, their conditions, and the actions they call."""
