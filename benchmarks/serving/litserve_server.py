"""The peer LitServe: its documented form of a server, with batching."""

import os
import sys
from pathlib import Path
from typing import Any

import litserve

from my_project.models.tabular import Model


class Api(litserve.LitAPI):
    """Set up, decode, predict, encode."""

    def setup(self, device: str) -> None:
        """Load the model, once per worker."""
        self.model = Model.load(Path(os.environ["MODEL"]))

    def decode_request(self, request: dict[str, Any]) -> Any:
        """Turn a body into a row."""
        return self.model.example_type(**request)

    def predict(self, rows: list[Any]) -> list[Any]:
        """Predict rows of several requests at a time."""
        return self.model.predict(rows)

    def batch(self, inputs: list[Any]) -> list[Any]:
        """Leave rows as a list; by default it looks for tensors."""
        return list(inputs)

    def unbatch(self, output: list[Any]) -> list[Any]:
        """Leave predictions as they are."""
        return output

    def encode_response(self, output: Any) -> dict[str, Any]:
        """Turn a prediction into a body."""
        return vars(output)


if __name__ == "__main__":
    api = Api(max_batch_size=64, batch_timeout=0.001)
    workers = int(os.environ["WORKERS"])
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
