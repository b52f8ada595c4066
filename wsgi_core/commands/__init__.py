"""The subcommands of ``wsgi-core`` other than serve, trace and Flask's own commands."""
