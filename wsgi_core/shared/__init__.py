"""Code that the service and its Flask twin share, one module for each concept. It does not depend on a framework."""
