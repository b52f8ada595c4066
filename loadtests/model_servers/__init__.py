"""The churn model on other model servers. Each file is written as the server's documentation shows.

``wsgi-core overhead --study served --servers mlserver,...`` runs each file in its own virtual environment.
"""
