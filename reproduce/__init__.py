"""The figures and tables of [Samek2017], made again on the data and networks at hand."""
