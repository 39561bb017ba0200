"""One file, from a URL to verified bytes."""
