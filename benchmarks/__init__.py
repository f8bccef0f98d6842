"""What is run: corpora, suites, the runner, its records, and the reports made from them."""
