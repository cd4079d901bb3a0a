"""HTTP: the ingest API, inbound webhooks, and the pages."""
