// Definitions of the interface; see the header.
#include "dialects/Interfaces/DimensionSource.h"

#include "dialects/Interfaces/DimensionSource.cpp.inc"
