// In place of CuPy's (for cupyx.jit): the standard library itself.
#pragma once
#include <algorithm>
#include <tuple>
#include <utility>
