"""Functions of the result of each study: verdict, warnings, tables, charts, the page, and the record of a run.

A module for each study (``comparison``, ``complexity``, ``planted``, ``replacements``, ``assessment``) has the same
functions of its result, which ``studies.study.Told`` names.
"""
