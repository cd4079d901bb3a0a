"""Takes in changes from any system that signs as Standard Webhooks asks."""
