"""The churn model on other model servers, each written as the server's documentation shows.

The files run in virtual environments, which ``wsgi-core overhead --study served --servers mlserver,...`` creates. This
project imports none of the files.
"""
