"""The subcommands config, models, jobs, deploy, learn and service of ``wsgi-core``."""
