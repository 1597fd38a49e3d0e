"""What is remembered: answers, and proven zones. Pure: `now` is handed in, never asked for."""
