"""E-invoice XML (CII, UBL) to raw fields."""
