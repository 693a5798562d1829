"""Raw candidates to values: typed, checked against each other, grounded, with confidence and
doubts.
"""
