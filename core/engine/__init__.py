"""What happens next: poll, schedule, transfer, publish; the only writer of state."""
