"""The model in MLflow: the folder of a run, read and used as everywhere in this project.

MLflow keeps this file beside the folder and runs it to load the model, so nothing is unpickled.
"""

import math
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from my_project import pipeline
from my_project.runs import Run
from my_project.utils.records import validate


class RunModel(PythonModel):
    """A run's model, for tables of examples."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model; a UserError where its files are not those that the run saved."""
        self.model = pipeline.load_model(Run(Path(context.artifacts["run"])))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None
    ) -> pd.DataFrame:
        """Return a row for each row: `prediction`, `probabilities` of the labels."""
        records = [
            {name: plain(value) for name, value in row.items()}
            for row in model_input.to_dict("records")
        ]
        examples = validate(records, self.model.example_type, "model_input")
        return pd.DataFrame([vars(one) for one in self.model.predict(examples)])


def plain(value: Any) -> Any:
    """Return a cell as JSON has it: arrays as lists, what is missing as None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return None if isinstance(value, float) and math.isnan(value) else value


mlflow.models.set_model(RunModel())
