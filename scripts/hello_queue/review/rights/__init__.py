"""Which requests a set of policies allows, decided exactly, and one request that only another set allows."""
