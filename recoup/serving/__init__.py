"""Running Recoup: the three roles, and the supervisor that runs them together on one machine."""
