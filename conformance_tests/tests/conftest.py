"""The toy is what test_template fills the template in with: it is no test of this folder."""

collect_ignore = ["toy"]
