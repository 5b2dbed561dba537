"""CSV and Parquet files: columns, units and repairs."""
