"""Tests of wsgi_core/serving."""
