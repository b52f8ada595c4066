"""The churn model on other model servers. Each file is written as the server's documentation shows.

``wsgi-core overhead --study served --servers mlserver,...`` runs the files in virtual environments of their own. No
other module imports these files.
"""
