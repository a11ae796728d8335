"""What every workload shares: configuration, artifacts, records, plots, progress, errors."""
