"""What a database stores, read and removed without the adapter: for an enrolment's `scan`, `drop` and corpora."""
