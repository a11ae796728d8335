"""How much of the target a single column tells.

A column that nearly alone tells the target was as a rule known only after it: a date of
cancellation tells who has cancelled. Source: Kaufman, Rosset and Perlich, Leakage in data mining:
formulation, detection, and avoidance, 2012.
"""

from mlmw.inspection.engine import Table
from mlmw.inspection.profile import Profile

MOST_GROUPS = 200
ROWS_OF_GROUP = 20  # fewer tell a target by chance


def explained(table: Table, column: Profile, target: Profile, task: str) -> float:
    """The share of the target that a column tells, between 0 (nothing) and 1 (all of it).

    Rows are put into groups, by the column's value or by the part of its range. Of classes it is
    the share of the errors, which the commonest class makes, that the commonest class of each
    group avoids; of numbers the share of their variance that lies between the groups.
    """
    groups = min(MOST_GROUPS, table_rows(table) // ROWS_OF_GROUP)
    if groups < 2 or (column.kind == "categorical" and column.distinct > groups):
        return 0.0
    key = column.value
    if column.kind != "categorical" and column.distinct > groups:
        number = f"CAST({key} AS DOUBLE)" if column.kind == "numeric" else key
        key = f"CASE WHEN {key} IS NULL THEN 0 ELSE ntile({groups}) OVER (ORDER BY {number}) END"
    rows = f"SELECT {key} AS g, {target.value} AS y FROM part WHERE {target.value} IS NOT NULL"
    if task == "classification":
        query = (
            f"WITH c AS (SELECT g, y, count(*) AS n FROM ({rows}) GROUP BY g, y) "
            "SELECT (SELECT sum(m) FROM (SELECT max(n) AS m FROM c GROUP BY g)), sum(n), "
            "(SELECT max(m) FROM (SELECT sum(n) AS m FROM c GROUP BY y)) FROM c"
        )
        right, count, commonest = table.ask(query)[0]
        return float((right - commonest) / (count - commonest)) if count > commonest else 0.0
    query = (
        f"WITH r AS (SELECT g, CAST(y AS DOUBLE) AS y FROM ({rows})) "
        "SELECT sum(n * v) / sum(n), (SELECT var_pop(y) FROM r) "
        "FROM (SELECT count(*) AS n, var_pop(y) AS v FROM r GROUP BY g)"
    )
    within, total = table.ask(query)[0]
    return float(1 - within / total) if total else 0.0


def table_rows(table: Table) -> int:
    """How many rows the part has."""
    return int(table.ask("SELECT count(*) FROM part")[0][0])
