"""The peer BentoML: its documented form of a service, with adaptive batching."""

import os
from pathlib import Path
from typing import Any

import bentoml

from my_project.models.tabular import Model


@bentoml.service(workers=int(os.environ["WORKERS"]), traffic={"timeout": 60})
class Service:
    """One model, loaded once per worker."""

    def __init__(self) -> None:
        self.model = Model.load(Path(os.environ["MODEL"]))

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Predict rows of several requests at a time."""
        return [
            vars(one)
            for one in self.model.predict([self.model.example_type(**row) for row in rows])
        ]
