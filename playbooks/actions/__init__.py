"""The actions a playbook can name: one class per file, found by the registry."""
