"""Training and evaluation: one module per workload, each satisfying workloads.Workload."""
