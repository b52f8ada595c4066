"""The views beyond the service's first: one blueprint a module, each with its twin."""
