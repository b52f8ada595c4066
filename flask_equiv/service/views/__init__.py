"""The blueprints of the service, one in each module."""
