"""The configuration: found, read, checked and explained. Read by the floors above only."""
