"""What the service and its twin both use, a module for each idea. Knows models, and no framework."""
