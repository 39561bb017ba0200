"""Where transfers run."""
