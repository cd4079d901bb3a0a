"""Signs people in at your own identity provider, by OpenID Connect."""
