"""The subcommands of ``wsgi-core`` other than serve, trace and those that Flask has."""
