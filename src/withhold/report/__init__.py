"""The transparency report: the ledger counted, made fit for publication, and written down. Pure.

`count` folds entries into what became of each order, `cells` makes a table of that, `suppress` and
`band` take from the table what must not be published, `document` writes it as JSON; `table` and
`page` write that JSON as CSV and HTML. What each number counts is said in `measures`.
"""
