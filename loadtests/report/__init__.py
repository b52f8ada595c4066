"""What a result file says: the analysis, and from it the page, the plots, the tables."""
