"""Reports from a result file: the analysis, and the pages, plots and tables made from the analysis."""
