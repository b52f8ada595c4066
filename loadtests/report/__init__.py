"""Reports from a result file: the analysis, and the page, plots and tables made from it."""
