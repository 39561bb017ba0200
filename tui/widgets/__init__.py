"""The widgets of the dashboard that are its own."""
