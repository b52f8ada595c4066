"""The instrument: blocks of requests timed in separate processes, and the figures with intervals computed from them."""
