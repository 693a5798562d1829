"""How well documents were read: fields, line items and confidences against ground truth."""
