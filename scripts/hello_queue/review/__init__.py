"""What a change does in AWS: compares the templates before and after it, and lists what needs a decision.

A review goes forward through these modules: base (the templates of a commit), synthesis (those of the working tree),
changes (what happens to each resource), the rules (which changes need a decision), comparison, report.
"""
