"""What each column is for: the target, a feature, the group of a row, or nothing, and why."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlmw.errors import Refusal
from mlmw.inspection.engine import Table
from mlmw.inspection.leakage import explained
from mlmw.inspection.profile import Profile

MOST_CLASSES = 100
FEWEST_ROWS = 30  # with a known target: a fifth of them is the test part
FEWEST_OF_CLASS = 15  # three in each of five folds
MOST_DISTINCT = 1_000  # of a column of text that is a feature
UNIQUE = 0.95  # share of different values from which a column tells rows apart
CLASSES_OF_NUMBERS = 10  # that many different whole numbers are classes rather than amounts
TELLS_ALL = 0.99  # of the target, that a column alone explains
PERSONAL_SHARE = 0.5  # of the values that look like an address of e-mail, a telephone number ...
WORDS_OF_TEXT = 3  # from so many on, on average, it is free text
RARE = 0.05  # share of a class that is rare

TARGETS = (
    *("target", "label", "class", "outcome", "response", "y"),
    *("churn", "churned", "default", "defaulted", "fraud", "survived", "survival", "converted"),
    *("diagnosis", "species", "quality", "rating", "score", "price", "cost", "sales", "revenue"),
)
PERSONAL = {
    *("email", "mail", "phone", "telephone", "tel", "mobile", "fax", "telefon", "handy"),
    *("firstname", "lastname", "surname", "forename", "fullname", "vorname", "nachname", "nom"),
    *("prenom", "nombre", "apellido", "username", "login", "ssn", "passport", "iban", "nino"),
    *(
        "street",
        "address",
        "adresse",
        "strasse",
        "birth",
        "birthday",
        "birthdate",
        "dob",
        "geburtsdatum",
    ),
}
OF_PERSONS = {
    *("first", "last", "full", "given", "family", "middle", "maiden", "user", "customer", "client"),
    *("patient", "person", "contact", "employee", "student", "member", "guest", "holder", "owner"),
}
LOOKS_PERSONAL = {
    "email": "e-mail addresses",
    "phone": "telephone numbers",
    "iban": "bank accounts",
    "address": "addresses of computers",
}
IDS = {"id", "uuid", "guid", "key", "nr", "no", "number", "index", "code", "identifier", "rowid"}


@dataclass(frozen=True)
class Column:
    """A column and what it is for: target, feature, group or unused; `why` explains it."""

    profile: Profile
    role: str
    why: str = ""
    personal: bool = False


@dataclass(frozen=True)
class Choices:
    """What a person has decided; the rest is proposed.

    `uses` are roles (feature, group, unused) by the names of columns, `texts` the columns whose
    values are categories, whatever they look like.
    """

    target: str | None = None
    task: str | None = None
    uses: Mapping[str, str] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Roles:
    """All columns, and what is to be predicted; `warnings` are for a person to weigh."""

    columns: tuple[Column, ...]
    target: Profile
    task: str  # classification or regression
    positive: str  # of two classes the rarer one
    warnings: tuple[str, ...]


def decide(table: Table, profiles: Sequence[Profile], choices: Choices) -> Roles:
    """Decide what each column is for; raises `Refusal` where nothing can be predicted."""
    aim = _find(profiles, choices.target) if choices.target else _propose(profiles)
    task = choices.task or _task(aim)
    _check_target(table, aim, task)
    columns = [
        Column(one, "target", f"to be predicted: {task}")
        if one is aim
        else _chosen(one, choices.uses[one.name])
        if one.name in choices.uses
        else _column(table, one, profiles, aim, task)
        for one in profiles
    ]
    if not any(column.role == "feature" for column in columns):
        why = "no other column can help to predict it"
        raise Refusal(f"target {aim.name!r}", why, "mlmw data inspect FILE --target OTHER")
    _check_groups(table, columns, aim, task)
    rarest = aim.categories[-1][0] if task == "classification" and aim.distinct == 2 else ""
    return Roles(tuple(columns), aim, task, rarest, tuple(_warnings(table, columns, aim, task)))


def _check_groups(table: Table, columns: list[Column], aim: Profile, task: str) -> None:
    """Let one column decide which rows stay together, if a split is possible that way."""
    found = False
    for place, column in enumerate(columns):
        if column.role != "group":
            continue
        why = ""
        if found:
            why = "another column decides already which rows stay together"
        elif column.profile.missing:
            why = "is an identifier, and missing in some rows"
        elif task == "classification":
            (fewest,) = table.ask(
                f"SELECT min(n) FROM (SELECT count(DISTINCT {column.profile.value}) AS n "
                f"FROM data WHERE {aim.value} IS NOT NULL GROUP BY {aim.value})"
            )[0]
            if fewest < FEWEST_OF_CLASS:
                why = "is an identifier, and a class has too few of them to be split"
        if why:
            columns[place] = Column(column.profile, "unused", why)
        else:
            found = True


def words(name: str) -> list[str]:
    """The words of a name: customerEmail has two, as customer_email has."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return [word for word in re.split(r"[\W_\d]+", apart) if word]


def _find(profiles: Sequence[Profile], target: str) -> Profile:
    for same in (str, str.casefold):
        for profile in profiles:
            if same(profile.name) == same(target):
                return profile
    names = [profile.name for profile in profiles]
    close = difflib.get_close_matches(target, names, 1)
    remedy = f"did you mean {close[0]!r}?" if close else f"columns: {', '.join(names[:20])}"
    raise Refusal(f"target {target!r}", "the file has no such column", remedy)


def _propose(profiles: Sequence[Profile]) -> Profile:
    """The column whose name says that it is a target, or else the last one that can be."""
    fit = [
        one
        for one in profiles
        if one.distinct > 1
        and one.kind != "date"
        and (one.kind == "numeric" or one.distinct <= MOST_CLASSES)
        and not _personal(one)
        and not _identifies(one)
    ]
    if not fit:
        why = "no column looks as if it were to be predicted"
        raise Refusal("target", why, "name it: --target COLUMN")
    ranks = {name: rank for rank, name in enumerate(TARGETS)}
    return min(
        reversed(fit), key=lambda one: min((ranks.get(w, 99) for w in words(one.name)), default=99)
    )


def _task(aim: Profile) -> str:
    few = aim.distinct == 2 or (aim.whole and aim.distinct <= CLASSES_OF_NUMBERS)
    return "regression" if aim.kind == "numeric" and not few else "classification"


def _check_target(table: Table, aim: Profile, task: str) -> None:
    what = f"target {aim.name!r}"
    if not aim.present:
        raise Refusal(what, "all its values are missing", "choose another column")
    if aim.distinct == 1:
        raise Refusal(what, "it has the same value in every row", "choose another column")
    if aim.kind == "date":
        raise Refusal(what, "it holds dates", "choose a number or a class")
    if aim.present < FEWEST_ROWS:
        why = f"{aim.present} rows have it, at least {FEWEST_ROWS} are needed"
        raise Refusal(what, why, "collect more data")
    if task == "regression" and aim.kind != "numeric":
        raise Refusal(what, "not all its values are numbers", "choose --task classification")
    if task == "classification":
        if aim.distinct > MOST_CLASSES:
            why = f"it has {aim.distinct:,} different values, {MOST_CLASSES} classes are possible"
            raise Refusal(what, why, "choose another column, or merge classes")
        name, share = aim.categories[-1]
        count = round(share * aim.present)
        if count < FEWEST_OF_CLASS and not table.sample:
            why = f"class {name!r} has {count} rows, at least {FEWEST_OF_CLASS} are needed"
            raise Refusal(what, why, "merge it with another class, or leave out its rows")


def _column(
    table: Table, one: Profile, profiles: Sequence[Profile], aim: Profile, task: str
) -> Column:
    """A column that is not the target."""
    if not one.present:
        return Column(one, "unused", "all its values are missing")
    if one.distinct == 1 and not one.missing:
        return Column(one, "unused", "has the same value in every row")
    if said := _personal(one):
        return Column(one, "unused", f"personal: {said}", personal=True)
    for other in profiles[: one.number]:
        if other.print == one.print:
            return Column(one, "unused", f"is equal to {other.name!r}")
    if said := _identifies(one):
        return Column(one, "unused", said)
    if words(one.name)[-1:] and words(one.name)[-1] in IDS and one.distinct > MOST_DISTINCT / 20:
        return Column(one, "group", "rows of one of them stay together")
    if one.kind == "categorical" and one.words >= WORDS_OF_TEXT and not one.categories:
        return Column(one, "unused", "is free text")
    if one.kind == "categorical" and one.distinct > MOST_DISTINCT:
        return Column(one, "unused", f"has {one.distinct:,} different values")
    share = explained(table, one, aim, task)
    if share >= TELLS_ALL:
        return Column(one, "unused", f"alone tells the target ({share:.1%}): a leak?")
    return Column(one, "feature")


def _chosen(one: Profile, use: str) -> Column:
    """A column whose use a person has decided."""
    if use == "feature" and not one.present:
        raise Refusal(f"column {one.name!r}", "all its values are missing", "leave it out")
    return Column(one, use, "as you chose", personal=bool(_personal(one)) and use == "unused")


def _personal(profile: Profile) -> str:
    """Why a column seems to hold personal data, empty if it does not."""
    dates = profile.kind == "date" or _other_dates(profile)
    for pattern, said in LOOKS_PERSONAL.items():
        if profile.looks.get(pattern, 0.0) >= PERSONAL_SHARE and not (dates and pattern == "phone"):
            return f"looks like {said}"
    found = words(profile.name)
    personal = PERSONAL.intersection([*found, "".join(found)])
    names = found and found[-1] == "name" and OF_PERSONS.issuperset(found[:-1])
    if (personal or names) and profile.kind in ("categorical", "date"):
        return "its name says so"
    return ""


def _other_dates(profile: Profile) -> bool:
    """Whether a column seems to hold dates that are not written as 2026-01-31."""
    return profile.looks.get("other_date", 0.0) >= PERSONAL_SHARE


def _identifies(profile: Profile) -> str:
    """Why a column seems to tell rows apart, empty if it does not."""
    if profile.distinct < UNIQUE * profile.present or profile.categories:
        return ""
    if profile.looks.get("uuid", 0.0) >= PERSONAL_SHARE:
        return "is an identifier"
    named = bool(IDS.intersection(words(profile.name)[-1:]))
    if profile.kind == "categorical":
        return "is free text" if profile.words >= WORDS_OF_TEXT else "is an identifier"
    if profile.kind == "numeric" and profile.whole:
        low, *_, high = profile.quartiles
        counted = high - low + 1 <= profile.present / UNIQUE
        return "is an identifier" if named or counted else ""
    return ""


def _warnings(table: Table, columns: Sequence[Column], aim: Profile, task: str) -> Iterator[str]:
    if table.sample:
        yield f"the file is large: what is said here is of {table.sample}"
    if table.nested:
        yield f"columns of lists or objects cannot be used: {', '.join(table.nested)}"
    missing = table.rows - aim.present
    if missing:
        yield f"{missing:,} rows have no target, and cannot be learnt from"
    if task == "classification" and aim.kind == "numeric" and aim.distinct > 2:
        yield f"its {aim.distinct} numbers are taken for classes; amounts: --task regression"
    if task == "classification" and aim.categories[-1][1] < RARE:
        name, share = aim.categories[-1]
        yield f"class {name!r} is rare ({share:.1%}): accuracy alone would mislead"
    names = [name for name, _ in aim.categories] if task == "classification" else []
    folded = [name.casefold() for name in names]
    if same := [name for name in names if folded.count(name.casefold()) > 1]:
        yield f"classes that differ in upper and lower case only: {', '.join(sorted(same))}"
    for column in columns:
        if column.role != "unused" and column.profile.unreadable:
            kind = {"numeric": "number", "date": "date", "boolean": "yes or no"}
            what = kind[column.profile.kind]
            yield f"{column.profile.name!r}: the few values that are no {what} count as missing"
        if _other_dates(column.profile) and column.role != "target" and not column.personal:
            yield f"{column.profile.name!r} is taken for text: write its dates as 2026-01-31"
        thousands = column.profile.looks.get("thousands", 0.0)
        if column.role != "unused" and thousands > PERSONAL_SHARE:
            yield f"{column.profile.name!r} has commas between thousands, and is taken for text"
