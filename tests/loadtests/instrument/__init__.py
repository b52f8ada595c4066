"""Tests of `loadtests`: claims about the instrument, never about a time."""
