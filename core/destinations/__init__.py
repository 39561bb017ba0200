"""Where published filesets live."""
