"""Gathers the claims, tables and figures of finished runs: `python -m experiments.report runs/*`.

Writes RESULTS.md (`--output=FILE` elsewhere) with a section for each run, and with
`--readme=README.md` puts the summary between `<!-- claims:start -->` and `<!-- claims:end -->` of
that file.
"""
