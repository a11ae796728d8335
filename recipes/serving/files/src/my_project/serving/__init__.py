"""The HTTP service: `python -m my_project serve`.

`models` loads what is in use and watches for promotions, `decoding` turns a request into examples,
`batching` predicts, `app` answers; `openapi` documents it, `monitoring` and `logs` tell of it,
and `protocol` limits what a connection may send before a body.
"""
