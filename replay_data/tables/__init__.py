"""CSV and Parquet files as datasets: columns, units and repairs."""
