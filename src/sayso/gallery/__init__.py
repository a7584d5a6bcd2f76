"""Who is enrolled, what they agreed to, and the search over their templates."""
