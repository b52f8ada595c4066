"""Put a server in a process of its own under load: generators that need little CPU, windows, and the results."""
