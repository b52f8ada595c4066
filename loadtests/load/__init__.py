"""Load on a server in a process of its own: generators that cost little, windows, and what a victim said."""
