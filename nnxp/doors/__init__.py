"""Where things come in and are checked, once: `arrays`, `labels`, `options`, and `naming`, objects given by name.
`describing` is the way back: what `repr` says of them."""
