"""Model definitions, and how they are saved and loaded: one module per workload."""
