"""Three files as people have them, made by script: what `mlmw new --data` must get right."""

import csv
import gzip
import io
import random
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any


def subscribers() -> bytes:
    """Mixed kinds, missing values in several spellings, personal columns, and a rare class."""
    draw = random.Random(0)
    rows = []
    for number in range(1500):
        age, fee = draw.randint(18, 90), draw.choice([9.9, 19.9, 29.9])
        plan, newsletter = draw.choice(["basic", "plus", "family"]), draw.choice(["yes", "no"])
        risk = 0.01 + 0.3 * (age < 45) * (plan == "basic") + 0.05 * (age < 30)
        row: dict[str, Any] = {
            "customer id": 100_000 + number,
            "e-mail": f"person{number}@example.org",
            "first_name": draw.choice(["Ada", "Bo", "Chi", "Didi"]),
            "age": age if draw.random() > 0.08 else draw.choice(["", "NA"]),
            "monthly fee": fee,
            "plan": plan if draw.random() > 0.03 else "NA",
            "newsletter": newsletter,
            "since": date(2015, 1, 1) + timedelta(days=draw.randint(0, 3600)),
            "city": "Reykjahlíð" if number == 7 else draw.choice(["Oslo", "Bergen", "Tromsø"]),
            "calls": draw.randint(0, 20) if number != 5 else "umpteen",
            "country": "NO",
            "churned": "yes" if draw.random() < risk else "no",
        }
        rows.append(row)
    return _csv(rows).encode()


def houses() -> bytes:
    """A price to predict, with dates, decimal commas and semicolons, packed."""
    draw = random.Random(0)
    rows = []
    for _ in range(600):
        sold = datetime(2018, 1, 1) + timedelta(hours=draw.randint(0, 24 * 2000))
        area, rooms = draw.gauss(110, 35), draw.randint(1, 7)
        price = 1500 * area + 9000 * rooms + 40 * (sold - datetime(2018, 1, 1)).days
        rows.append(
            {
                "sold": sold,
                "area": _comma(max(area, 20)) if draw.random() > 0.05 else "n/a",
                "rooms": rooms,
                "built": date(draw.randint(1900, 2020), 1, 1),
                "class": draw.choice("ABC"),
                "garden": draw.choice(["true", "false"]),
                "price": _comma(price + draw.gauss(0, 12_000)),
            }
        )
    return gzip.compress(_csv(rows, ";").encode(), mtime=0)


def sensors() -> bytes:
    """Wide, with headers of every kind: unicode, blanks, reserved words, twice, none at all."""
    draw = random.Random(0)
    names = ["Größe in µm", "温度", "naïve: a/b", "class", "2nd", "x", "x", "", "my_project", "a'b"]
    header = [*names, *(f"канал {number}" for number in range(60)), "qualité"]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    for _ in range(500):
        cells = [round(draw.gauss(0, 1), 4) for _ in header[:-1]]
        score = cells[0] + cells[1] - cells[5] + draw.gauss(0, 0.5)
        writer.writerow([*cells, "bonne" if score > 0.5 else "moyenne" if score > -1 else "läche"])
    return text.getvalue().encode("utf-16")


def _comma(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def _csv(rows: Iterable[dict[str, Any]], delimiter: str = ",") -> str:
    text, rows = io.StringIO(newline=""), list(rows)
    writer = csv.DictWriter(text, rows[0], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# What each is called, what is to be predicted, and its content.
DATASETS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "subscribers.csv": ("churned", subscribers),
    "houses.csv.gz": ("price", houses),
    "sensors.csv": ("qualité", sensors),
}
