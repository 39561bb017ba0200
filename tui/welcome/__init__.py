"""The first run: four steps from no configuration to one that works."""
