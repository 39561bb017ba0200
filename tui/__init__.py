"""The operator's side: command line and, later, the dashboard."""
