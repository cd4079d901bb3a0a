"""Who is hit, what it costs, which change did it, and how sure we are."""
