"""What the panes of the main screen show: pure functions from a snapshot to rows and texts."""
