"""The instrument: timed blocks in processes of their own, and the figures with their intervals out of them."""
