"""The views beyond the service's first: one blueprint a module, each with a twin on Flask."""
