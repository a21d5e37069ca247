// CUDA C++ for the host's compiler: enough of it for the kernels of CuPy and of neural networks.
#pragma once
#include "hostcuda/atomics.h"
#include "hostcuda/checks.h"
#include "hostcuda/launch.h"
#include "hostcuda/math.h"
#include "hostcuda/threads.h"
#include "hostcuda/types.h"
