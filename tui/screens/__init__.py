"""What comes up over the dashboard, and goes again with Esc."""
