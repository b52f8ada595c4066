"""What stands between waitress and the application: limits, admission, the clean stop."""
