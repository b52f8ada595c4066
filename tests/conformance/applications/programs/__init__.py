"""What runs in an application's environment: its own files, started by their path."""
