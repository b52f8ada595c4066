"""Code that `wsgi_core.service` and `flask_equiv.service` share. The code imports neither Flask nor wsgi_core's own
lifecycle."""
