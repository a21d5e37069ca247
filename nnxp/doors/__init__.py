"""Where things come in and are checked, once: `arrays`, `labels`, `options`, and `naming`, objects given by name."""
