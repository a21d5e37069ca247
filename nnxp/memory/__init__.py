"""Who owns the numbers: `parameters`, one flat store; `buffers`, used again from step to step; `counting`, what to say
where memory ends."""
