"""Everything SQLite: schema, one writer, read-only queries."""
