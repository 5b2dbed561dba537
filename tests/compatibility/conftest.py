"""Leave out the script that only the released version can run."""

collect_ignore = ["write_files.py"]
