"""Files that run in the virtual environment of an application. They are started by their path."""
