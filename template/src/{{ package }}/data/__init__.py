"""Loading, validating and splitting data: one module per workload."""
