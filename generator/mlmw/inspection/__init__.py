"""Looking at a file of data before a project is made for it; `inspect.py` has the whole way.

`files` says what kind of file it is, `engine` loads it into DuckDB, `profile` measures its columns,
`roles` decides what each is for, `schema` is what a project keeps of it, and `show` prints it.
"""
