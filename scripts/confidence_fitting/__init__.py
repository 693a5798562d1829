"""Fitting of the confidence of lib/post: answers with their features, models, folds, thresholds."""
