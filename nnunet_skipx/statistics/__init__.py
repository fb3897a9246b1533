"""Statistics of tables: numpy, scipy and pandas, nothing of ours."""
