"""Networks made for tables: `presets` of them, what each is made of, and the one way in which all are trained."""
